"""What the sandbox says of a function, checked: it comes from hostile code and goes into prompts and validators."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import jsonschema_rs

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.tool import Description

MAX_SUMMARY_CHARS = 4_000
MAX_SIGNATURE_CHARS = 1_000
MAX_NOTE_CHARS = 1_000
MAX_SCHEMA_BYTES = 64 * 1024
MAX_SCHEMA_DEPTH = 16
MAX_BRANCHES = 16
MAX_ENUM = 1_000

_RULES = JsonRules(max_bytes=4 * MAX_SCHEMA_BYTES, max_depth=3 * MAX_SCHEMA_DEPTH, max_items=5_000)
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z", re.ASCII)
_TYPES = frozenset({"string", "number", "integer", "boolean", "null", "object", "array"})
_SAYS_TYPE = frozenset({"type", "enum", "const", "anyOf"})


class DescriptionRefused(ValueError):
    """The function cannot be offered to a model; the message tells its author what to change."""


def read_description(result_json: str) -> Description:
    """Return the description in the result of a DESCRIBE run, with texts cut to their limits.

    The schema keeps only what is known to be harmless: no references, patterns or formats. Each
    parameter has a plain name and a type.

    Raises:
        DescriptionRefused: it has another form, or the function lacks what a tool needs.
    """
    try:
        value = _RULES.parse(result_json)
    except JsonRefused as refused:
        raise DescriptionRefused(f"its description {refused}") from None
    if not isinstance(value, dict):
        raise DescriptionRefused("its description is no JSON object")
    summary = _text(value.get("summary"), "docstring", MAX_SUMMARY_CHARS)
    if not summary.strip():
        raise DescriptionRefused("it has no docstring; say what it does and what each parameter means")
    signature = _text(value.get("signature"), "signature", MAX_SIGNATURE_CHARS)
    return Description(summary, signature, _parameters(value.get("parameters")))


def _parameters(value: object) -> Mapping[str, Any]:
    schema = _schema(value, 0)
    size = len(json.dumps(schema))
    if size > MAX_SCHEMA_BYTES:
        raise DescriptionRefused(f"the schema of its parameters has {size} bytes, more than {MAX_SCHEMA_BYTES}")
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
        raise DescriptionRefused("the schema of its parameters is no closed object schema")
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    if not properties:
        raise DescriptionRefused("it takes no parameters, so every question would get the same answer")
    for name, parameter in properties.items():
        if not _PARAMETER.match(name):
            raise DescriptionRefused(f"the parameter {name[:64]!r} is no plain ASCII name of at most 64 characters")
        if not _SAYS_TYPE & parameter.keys():
            raise DescriptionRefused(f"the parameter {name!r} has no JSON type; annotate it with one")
    if not set(schema.get("required", ())) <= set(properties):
        raise DescriptionRefused("its required parameters are not all among its parameters")
    if not jsonschema_rs.meta.is_valid(schema):
        raise DescriptionRefused("the schema of its parameters is no valid JSON Schema")
    return schema


def _schema(value: object, depth: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DescriptionRefused("the schema of its parameters is no JSON object")
    if depth > MAX_SCHEMA_DEPTH:
        raise DescriptionRefused(f"its parameter types are nested deeper than {MAX_SCHEMA_DEPTH} levels")
    kept: dict[str, Any] = {}
    for keyword, content in value.items():
        read = _KEYWORDS.get(keyword)
        if read is None:
            raise DescriptionRefused(f"the schema of its parameters uses {keyword[:64]!r}; use simpler types")
        kept[keyword] = read(content, depth + 1)
    return kept


def _text(value: object, name: str, limit: int) -> str:
    if not isinstance(value, str):
        raise DescriptionRefused(f"its {name} is no text")
    return "".join(sign for sign in value[:limit] if sign.isprintable() or sign in "\n\t")


def _note(value: object, _depth: int) -> str:
    return _text(value, "description", MAX_NOTE_CHARS)


def _type(value: object, _depth: int) -> object:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name in _TYPES for name in names):
        raise DescriptionRefused("the schema of its parameters names an unknown type")
    return value


def _properties(value: object, depth: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DescriptionRefused("`properties` in the schema of its parameters is no object")
    return {name: _schema(content, depth) for name, content in value.items()}


def _names(value: object, _depth: int) -> object:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise DescriptionRefused("`required` in the schema of its parameters is no list of names")
    return value


def _schema_or_boolean(value: object, depth: int) -> object:
    return value if isinstance(value, bool) else _schema(value, depth)


def _branches(value: object, depth: int) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_BRANCHES:
        raise DescriptionRefused(f"a union or tuple among its parameter types has no or over {MAX_BRANCHES} members")
    return [_schema(branch, depth) for branch in value]


def _enum(value: object, _depth: int) -> object:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ENUM:
        raise DescriptionRefused(f"a Literal among its parameter types has no or over {MAX_ENUM} values")
    return value


def _number(value: object, _depth: int) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DescriptionRefused("a bound in the schema of its parameters is no number")
    return value


def _any(value: object, _depth: int) -> object:
    return value


_KEYWORDS: dict[str, Callable[[object, int], object]] = {
    "title": _note,
    "description": _note,
    "type": _type,
    "enum": _enum,
    "const": _any,
    "default": _any,
    "anyOf": _branches,
    "properties": _properties,
    "required": _names,
    "additionalProperties": _schema_or_boolean,
    "items": _schema_or_boolean,
    "prefixItems": _branches,
    "minItems": _number,
    "maxItems": _number,
    "minLength": _number,
    "maxLength": _number,
    "minimum": _number,
    "maximum": _number,
    "exclusiveMinimum": _number,
    "exclusiveMaximum": _number,
}
"""Keywords that may stand in a schema. Left out: references (they fetch or loop), patterns and formats (they
back-track), `uniqueItems` (quadratic), and all that no annotation of a parameter turns into."""
