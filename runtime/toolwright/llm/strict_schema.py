"""Which JSON Schemas may be sent with `strict: true`.

Endpoints refuse the whole request if a strict schema uses more than their subset, so anything not
known to be in it is sent without: arguments are checked against the schema here in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 10
"""Nesting that strict mode takes."""

_ANNOTATIONS = frozenset({"title", "description"})
_CONSTRAINTS = frozenset({"enum", "const", "pattern", "format", "multipleOf", "minItems", "maxItems"}) | frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
)
_STRUCTURE = frozenset({"type", "properties", "required", "additionalProperties", "items", "anyOf", "$ref", "$defs"})
_KNOWN = _ANNOTATIONS | _CONSTRAINTS | _STRUCTURE
_TYPES = frozenset({"string", "number", "integer", "boolean", "null", "object", "array"})


def allows_strict(schema: Mapping[str, Any]) -> bool:
    """Return whether `schema` is an object schema within strict mode's subset.

    Every object in it closes its properties (`additionalProperties` false) and requires all of
    them, every value has a type, and only keywords of the subset occur.
    """
    definitions = schema.get("$defs", {})
    if not isinstance(definitions, Mapping) or schema.get("type") != "object":
        return False
    return all(_fits(part, MAX_DEPTH) for part in (schema, *definitions.values()))


def _fits(schema: object, depth: int) -> bool:
    if not isinstance(schema, Mapping) or depth < 0 or not _KNOWN.issuperset(schema):
        return False
    if "$ref" in schema:
        return str(schema["$ref"]).startswith("#") and len(schema.keys() - _ANNOTATIONS) == 1
    if "anyOf" in schema:
        choices = schema["anyOf"]
        return isinstance(choices, list) and bool(choices) and all(_fits(choice, depth - 1) for choice in choices)
    types = schema.get("type")
    names = types if isinstance(types, list) else [types]
    if not names or not all(isinstance(name, str) and name in _TYPES for name in names):
        return False
    return ("object" not in names or _object_fits(schema, depth)) and (
        "array" not in names or _fits(schema.get("items"), depth - 1)
    )


def _object_fits(schema: Mapping[str, Any], depth: int) -> bool:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    return (
        schema.get("additionalProperties") is False
        and isinstance(properties, Mapping)
        and isinstance(required, list)
        and set(required) == set(properties)
        and all(_fits(value, depth - 1) for value in properties.values())
    )
