"""Arguments against a tool's schema: checked before a sandbox is used, by whoever has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

from toolwright.domain.call import MAX_ARGUMENTS_BYTES
from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.errors import InvalidInput
from toolwright.execution.mismatch import FIELD, MAX_PROBLEM_CHARS, first_mismatch, is_too_much

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
    if is_too_much(parameters, arguments, len(arguments_json)):
        raise InvalidInput(FIELD, "holds too many values for types of so many alternatives", "fewer values in one call")
    if _compiled(json.dumps(parameters, sort_keys=True)).is_valid(arguments):
        return
    raise first_mismatch(parameters, arguments).raised()


@lru_cache(maxsize=COMPILED_SCHEMAS)
def _compiled(schema_json: str) -> jsonschema_rs.Draft202012Validator:
    # Registered schemas were whittled down to harmless keywords; `offline` still rules out any fetch.
    return jsonschema_rs.Draft202012Validator(json.loads(schema_json), offline=True)


def _json_type(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
