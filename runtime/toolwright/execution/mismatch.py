"""Where arguments do not fit a schema, found in a bounded time and told in a bounded text.

The validator's own list of errors is made whole, each with its value's text, before the first can be had: two thousand
empty objects against a type of many required fields are gigabytes. So it is asked for one level at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from toolwright.errors import InvalidInput

FIELD = "arguments_json"
MAX_PROBLEM_CHARS = 300
PATIENCE_S = 0.2
"""Looking for the place ends about then; what is told is the place it has got to."""
MAX_CHECKS = 2_000_000
"""Values times alternatives, at most. The validator takes up to 0.3 µs for one, and stops all other threads."""
_CHARS_PER_CHECK = 16
_BELOW = frozenset({"properties", "items", "prefixItems", "anyOf"})
"""Keywords that lead a level down; `additionalProperties` too, where it is no boolean."""

_Schema = Mapping[str, Any]
_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One place where a value does not fit."""

    path: _Path
    problem: str
    expected: str = ""

    def raised(self) -> InvalidInput:
        """Return the error that tells it."""
        written = FIELD + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return InvalidInput(written[:MAX_PROBLEM_CHARS], self.problem, self.expected)


def is_too_much(schema: _Schema, value: object, chars: int) -> bool:
    """Return whether checking `value`, whose text has `chars` characters, could hold up everything else.

    Only types of many alternatives, or lists of odd constants, can make it so: all others are checked once a value.
    """
    alternatives = _alternatives(schema)
    if alternatives * (chars // 2 + 1) <= MAX_CHECKS:
        return False
    return alternatives * (_count(value) + chars // _CHARS_PER_CHECK) > MAX_CHECKS


def first_mismatch(schema: _Schema, value: object) -> Mismatch:
    """Return the first place where `value`, which does not fit `schema`, does not."""
    return _look(schema, value, (), time.monotonic() + PATIENCE_S)


def _look(schema: _Schema, value: object, path: _Path, until: float) -> Mismatch:
    if time.monotonic() > until:
        return Mismatch(path, "does not fit its type")
    if (here := _here(schema, value, path)) is not None:
        return here
    if "anyOf" in schema and not _fits({"anyOf": schema["anyOf"]}, value):
        return _of_alternatives(schema["anyOf"], value, path, until)
    if (below := next(_parts(schema, value), None)) is None:
        return Mismatch(path, "does not fit its type")
    inner, step, part = below
    return _look(inner, part, (*path, step), until)


def _here(schema: _Schema, value: object, path: _Path) -> Mismatch | None:
    """Return what is wrong with `value` itself, whatever it holds."""
    flat = {keyword: content for keyword, content in schema.items() if keyword not in _BELOW}
    if isinstance(flat.get("additionalProperties"), dict):
        del flat["additionalProperties"]
    elif "properties" in schema:
        flat["properties"] = dict.fromkeys(schema["properties"], True)
    if "prefixItems" in schema:
        flat["prefixItems"] = [True] * len(schema["prefixItems"])
    if isinstance(schema.get("items"), bool):
        flat["items"] = schema["items"]
    flat["required"] = _first_missing(schema, value)
    error = next(_validator(flat).iter_errors(value), None)
    return None if error is None else _told(error, schema, path)


def _first_missing(schema: _Schema, value: object) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [name for name in schema.get("required", ()) if name not in value][:1]


def _told(error: jsonschema_rs.ValidationError, schema: _Schema, path: _Path) -> Mismatch:
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Required(property=name):
            return Mismatch((*path, str(name)), "is missing")
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected=names):
            known = "" if path else ", ".join(schema.get("properties", {}))[:MAX_PROBLEM_CHARS]
            return Mismatch((*path, str(names[0])), "is no parameter", known)
        case _:
            return Mismatch(path, _cut(error.message))


def _of_alternatives(branches: Sequence[_Schema], value: object, path: _Path, until: float) -> Mismatch:
    """Return the mismatch of the alternative that got furthest into the value: it is the one that was meant."""
    found = [_look(branch, value, path, until) for branch in branches]
    deepest = max(found, key=lambda one: len(one.path))
    if len(deepest.path) > len(path):
        return deepest
    return Mismatch(path, "; ".join(dict.fromkeys(one.problem for one in found[:4])))


def _parts(schema: _Schema, value: object) -> Iterator[tuple[_Schema, str | int, Any]]:
    """Yield what of `value` does not fit its part of the schema: that part, the step to it, and the value there."""
    if isinstance(value, dict):
        yield from _members(schema, value)
    elif isinstance(value, list):
        yield from _items(schema, value)


def _members(schema: _Schema, value: dict[str, Any]) -> Iterator[tuple[_Schema, str, Any]]:
    named: _Schema = schema.get("properties", {})
    for name, inner in named.items():
        if name in value and not _fits(inner, value[name]):
            yield inner, name, value[name]
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        others = [name for name in value if name not in named]
        every = {"additionalProperties": rest}
        step = _first_unfit(others, lambda some: _fits(every, {name: value[name] for name in some}))
        if step is not None:
            yield rest, others[step], value[others[step]]


def _items(schema: _Schema, value: list[Any]) -> Iterator[tuple[_Schema, int, Any]]:
    prefix = schema.get("prefixItems", ())
    for step, (inner, part) in enumerate(zip(prefix, value, strict=False)):
        if not _fits(inner, part):
            yield inner, step, part
    rest = schema.get("items")
    if isinstance(rest, dict):
        others = value[len(prefix) :]
        place = _first_unfit(others, lambda some: _fits({"items": rest}, some))
        if place is not None:
            yield rest, len(prefix) + place, others[place]


def _first_unfit(parts: Sequence[Any], fit: Callable[[Sequence[Any]], bool]) -> int | None:
    """Return the place of the first of `parts` that does not fit, by halving; None if all do."""
    low, high = 0, len(parts)
    if fit(parts):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if fit(parts[low:middle]):
            low = middle
        else:
            high = middle
    return low


def _fits(schema: _Schema, value: object) -> bool:
    return _validator(schema).is_valid(value)


def _validator(schema: _Schema) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(dict(schema), offline=True)


def _alternatives(schema: object) -> int:
    """Return how often one value may have to be checked, at most."""
    if not isinstance(schema, dict):
        return 1
    inner: Iterable[object] = (*schema.get("properties", {}).values(), *schema.get("prefixItems", ()))
    once = max(map(_alternatives, (*inner, schema.get("items"), schema.get("additionalProperties"))), default=1)
    listed = schema.get("enum", ())
    # The validator looks up texts among texts, and numbers among numbers; anything else it tries one after another.
    tried = 1 if len({type(one) for one in listed}) < 2 and not _holds_parts(listed) else len(listed)  # noqa: PLR2004
    return max(once, tried) + sum(map(_alternatives, schema.get("anyOf", ())))


def _holds_parts(listed: Sequence[object]) -> bool:
    return any(isinstance(one, dict | list) for one in listed)


def _count(value: object) -> int:
    """Return how many values `value` is made of."""
    waiting, count = [value], 0
    while waiting:
        one = waiting.pop()
        count += 1
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return count


def _cut(message: str) -> str:
    # The message starts with the offending value, which may be long; what it should have been stands at the end.
    if len(message) <= MAX_PROBLEM_CHARS:
        return message
    half = MAX_PROBLEM_CHARS // 2
    return f"{message[:half]} … {message[-half:]}"
