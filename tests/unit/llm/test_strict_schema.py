"""Which schemas go with `strict: true`."""

from __future__ import annotations

from typing import Any

import pytest

from toolwright.llm.strict_schema import allows_strict


def closed(**properties: Any) -> dict[str, Any]:
    """An object schema that closes and requires all its properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


STRING = {"type": "string", "description": "a word"}
NESTED: dict[str, Any] = STRING
for _ in range(11):
    NESTED = {"type": "array", "items": NESTED}


@pytest.mark.parametrize(
    "schema",
    [
        closed(),
        closed(a=STRING, b={"type": "integer", "minimum": 0}),
        closed(a={"type": "array", "items": closed(b={"type": "number"})}),
        closed(a={"type": ["string", "null"]}),
        closed(a={"anyOf": [STRING, closed(b=STRING), {"type": "null"}]}),
        closed(a={"type": "string", "enum": ["x", "y"]}),
        {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": closed(b=STRING)}},
    ],
)
def test_schemas_of_the_subset_are_strict(schema: dict[str, Any]) -> None:
    """Closed objects, arrays, unions, enums and references are taken."""
    assert allows_strict(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "array", "items": STRING},
        {"anyOf": [closed(), closed(a=STRING)]},
        {"type": "object", "properties": {"a": STRING}, "required": ["a"]},
        {"type": "object", "properties": {"a": STRING}, "required": [], "additionalProperties": False},
        {"type": "object", "additionalProperties": STRING},
        closed(a={"type": "object", "additionalProperties": STRING}),
        closed(a={"type": "array"}),
        closed(a={}),
        closed(a=True),
        closed(a={"type": "string", "default": "x"}),
        closed(a={"type": "array", "prefixItems": [STRING], "items": False}),
        closed(a={"oneOf": [STRING]}),
        closed(a={"allOf": [STRING]}),
        closed(a={"type": "text"}),
        closed(a={"$ref": "https://example.org/a"}),
        closed(a={"anyOf": []}),
        closed(a=NESTED),
        {**closed(), "patternProperties": {}},
        {**closed(), "$defs": {"A": {"type": "object"}}},
        {**closed(), "$defs": []},
        {**closed(), "required": None},
    ],
)
def test_other_schemas_are_not(schema: dict[str, Any]) -> None:
    """Whatever strict mode refuses, or is not known to take, goes without: a refusal would lose the whole request."""
    assert not allows_strict(schema)
