"""Arguments against a tool's schema: checked before a sandbox is used, by whoever has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import jsonschema_rs

from toolwright.domain.call import MAX_ARGUMENTS_BYTES
from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.errors import InvalidInput

FIELD = "arguments_json"
MAX_PROBLEM_CHARS = 300
COMPILED_SCHEMAS = 256

_RULES = JsonRules(max_bytes=MAX_ARGUMENTS_BYTES)


def parse_arguments(arguments_json: str) -> dict[str, Any]:
    """Return the arguments by name. Integers stay exact.

    Raises:
        InvalidInput: the text breaks a rule of `domain.json_rules`, or is no object.
    """
    try:
        value = _RULES.parse(arguments_json)
    except JsonRefused as refused:
        raise InvalidInput(FIELD, str(refused)[:MAX_PROBLEM_CHARS], "the text of one JSON object") from None
    if not isinstance(value, dict):
        raise InvalidInput(FIELD, f"is {_json_type(value)}", "a JSON object: arguments by name")
    return value


def check_arguments(parameters: Mapping[str, Any], arguments_json: str) -> None:
    """Check a call's arguments against a tool's schema, and all rules for JSON texts.

    As JSON Schema has it, `2.0` is an integer and `true` is none.

    Raises:
        InvalidInput: names the path of the first problem (`arguments_json.words[2]`).
    """
    arguments = parse_arguments(arguments_json)
    validator = _compiled(json.dumps(parameters, sort_keys=True))
    if validator.is_valid(arguments):
        return
    raise _first_problem(next(validator.iter_errors(arguments)), parameters)


@lru_cache(maxsize=COMPILED_SCHEMAS)
def _compiled(schema_json: str) -> jsonschema_rs.Draft202012Validator:
    # Registered schemas were whittled down to harmless keywords; `offline` still rules out any fetch.
    return jsonschema_rs.Draft202012Validator(json.loads(schema_json), offline=True)


def _first_problem(error: jsonschema_rs.ValidationError, parameters: Mapping[str, Any]) -> InvalidInput:
    path = _path(error.instance_path)
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Required(property=name):
            return InvalidInput(f"{path}.{name}"[:MAX_PROBLEM_CHARS], "is missing")
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected=names):
            known = ", ".join(parameters.get("properties", {})) if not error.instance_path else ""
            return InvalidInput(f"{path}.{names[0]}"[:MAX_PROBLEM_CHARS], "is no parameter", known[:MAX_PROBLEM_CHARS])
        case jsonschema_rs.ValidationErrorKind.AnyOf(context=branches):
            nested = [errors[0] for errors in branches if errors]
            # The alternative that got furthest into the value is the one that was meant.
            deepest = max(nested, key=lambda one: len(one.instance_path), default=error)
            if len(deepest.instance_path) > len(error.instance_path):
                return _first_problem(deepest, parameters)
            return InvalidInput(path, "; ".join(dict.fromkeys(_cut(one.message) for one in nested[:4])))
        case _:
            return InvalidInput(path, _cut(error.message))


def _path(steps: Sequence[str | int]) -> str:
    written = FIELD + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return written[:MAX_PROBLEM_CHARS]


def _cut(message: str) -> str:
    # The message starts with the offending value, which may be long; what it should have been stands at the end.
    if len(message) <= MAX_PROBLEM_CHARS:
        return message
    half = MAX_PROBLEM_CHARS // 2
    return f"{message[:half]} … {message[-half:]}"


def _json_type(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
