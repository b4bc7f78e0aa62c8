"""Valid calls that nobody wrote do not crash the tool, invalid ones do not reach it, and wording is all one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from toolwright.domain.gates import GateName
from toolwright.errors import InvalidInput
from toolwright.execution.arguments import check_arguments
from toolwright.making import feedback
from toolwright.making.case import Case
from toolwright.making.gates.base import Ruling, gate
from toolwright.making.mutation import Arguments
from toolwright.making.observation import canonical

_ODD: Final = ({"no": ["such", "value"]}, ["no such value"], "no such value", 0.5, True, None)
"""Values of all JSON types; those that a parameter's type does not take are wrong ones."""


def _judge(case: Case) -> Ruling:
    """Look at how the probes ended, and write known calls in other ways."""
    probes = [probe.seen for probe in case.probes]
    crashed = [seen for seen in probes if not seen.succeeded and not seen.refused]
    rewritten = list(_rewritten(case))
    told_apart = [call for call, base in rewritten if case.observe(call).key != case.observe(base).key]
    invalid = list(_invalid(case))
    taken = [call for call in invalid if not _is_refused(case, call)]
    evidence = {
        "probes": len(probes),
        "refused_by_the_tool": sum(seen.refused for seen in probes),
        "crashed": len(crashed),
        "rewritten": len(rewritten),
        "told_apart": len(told_apart),
        "invalid": len(invalid),
        "invalid_taken": len(taken),
        "seed": case.seed,
    }
    if crashed:
        return Ruling(evidence, feedback.on_crash(crashed, len(probes)))
    if told_apart:
        return Ruling(evidence, feedback.on_told_apart(case.observe(told_apart[0])))
    return Ruling(evidence, feedback.on_description("its types do not tell bad arguments") if taken else "")


def _rewritten(case: Case) -> Iterator[tuple[Arguments, Arguments]]:
    """Yield known calls written in another way that means the same, each with the known one."""
    schema = case.description.parameters
    for call in case.known_calls:
        turned = _turned(call)
        if list(turned) != list(call) or str(turned) != str(call):
            yield turned, call
        other = {name: _other_form(value, schema["properties"].get(name, {})) for name, value in call.items()}
        if str(other) != str(call) and canonical(other) == canonical(call):
            yield other, call


def _turned(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    """Return `value` with the keys of its objects in the opposite order."""
    if isinstance(value, dict):
        return {key: _turned(item) for key, item in reversed(value.items())}
    return [_turned(item) for item in value] if isinstance(value, list) else value


def _other_form(value: Any, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a JSON value
    """Return `value` with whole numbers written as 3.0 instead of 3, and the other way round, where both may stand."""
    if schema.get("type") == "number" and not isinstance(value, bool):
        return float(value) if isinstance(value, int) else int(value) if value.is_integer() else value
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        return [_other_form(item, items) for item in value]
    others = schema.get("additionalProperties")
    if isinstance(value, dict):
        below = schema.get("properties", {})
        fallback = others if isinstance(others, dict) else {}
        return {key: _other_form(item, below.get(key, fallback)) for key, item in value.items()}
    return value


def _invalid(case: Case) -> Iterator[Arguments]:
    """Yield calls that the schema forbids: without an argument, with one too many, and with wrong types."""
    schema, call = case.description.parameters, case.known_calls[0]
    for name in schema.get("required", ()):
        yield {key: value for key, value in call.items() if key != name}
    yield {**call, "no_such_parameter": 1}
    for name, parameter in schema["properties"].items():
        kinds = parameter.get("type")
        if isinstance(kinds, str):
            yield {**call, name: next(value for value in _ODD if not _is_of(value, kinds))}


def _is_of(value: object, kind: str) -> bool:
    return isinstance(value, _PYTHON[kind]) and (kind == "boolean" or not isinstance(value, bool))


_PYTHON: Final[Mapping[str, type | tuple[type, ...]]] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def _is_refused(case: Case, call: Arguments) -> bool:
    try:
        check_arguments(case.description.parameters, canonical(call))
    except InvalidInput:
        return True
    return False


GATE: Final = gate(GateName.PROBES, _judge)
