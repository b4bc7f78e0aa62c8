"""What the sandbox says of hostile code is bounded and checked before it reaches a prompt or a validator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toolwright.execution.arguments import check_arguments
from toolwright.making.description import DescriptionRefused, read_description


def described(parameter: object = None, **changes: object) -> str:
    """Return a good description with one parameter, changed."""
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": {"a": {"type": "integer"} if parameter is None else parameter},
        "required": ["a"],
        "additionalProperties": False,
    }
    return json.dumps({"summary": "Adds.", "signature": "(a: int) -> int", "parameters": parameters} | changes)


def closed(**changes: object) -> dict[str, object]:
    """Return a good schema, changed."""
    return {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    } | changes


def nested(levels: int) -> dict[str, Any]:
    """Return a schema of lists in lists."""
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    "parameter",
    [
        {"type": "integer", "description": "how many"},
        {"enum": ["north", 1, None]},
        {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
        {"type": "object", "additionalProperties": {"type": "array"}},
        {"type": "object", "properties": {"left of": {"type": "string"}}, "required": ["left of"]},
        {"type": ["string", "null"]},
        nested(10),
    ],
)
def test_schemas_of_plain_types_are_kept(parameter: dict[str, Any]) -> None:
    """All that annotations turn into comes through unchanged and compiles."""
    description = read_description(described(parameter))
    assert description.parameters["properties"]["a"] == parameter
    with pytest.raises(Exception, match="is missing"):
        check_arguments(description.parameters, "{}")


@pytest.mark.parametrize(
    "parameter",
    [
        {"$ref": "http://example.com/schema"},
        {"$ref": "#"},
        {"type": "string", "pattern": "(a+)+$"},
        {"type": "string", "format": "regex"},
        {"type": "array", "uniqueItems": True},
        {"allOf": [{"type": "integer"}]},
        {"not": {}},
        {"if": {}, "then": {}},
        {"$defs": {}},
        {"patternProperties": {"(a+)+$": {}}},
        {"type": "banana"},
        {"type": []},
        {"type": ["integer", 1]},
        {"type": "array", "items": [{"type": "integer"}]},
        {"type": "array", "minItems": "1"},
        {"type": "array", "minItems": -1},
        {"type": "array", "minItems": True},
        {"anyOf": []},
        {"anyOf": [{"type": "integer"}] * 17},
        {"anyOf": {"type": "integer"}},
        {"enum": []},
        {"enum": list(range(1_001))},
        {"type": "object", "properties": []},
        {"type": "object", "required": "a"},
        {"type": "integer", "description": 1},
        {},
        {"description": "anything"},
        [],
        None,
        nested(17),
    ],
)
def test_other_schemas_are_refused(parameter: object) -> None:
    """What could fetch, loop, back-track or mean nothing is refused, and named."""
    text = described(parameters=closed(properties={"a": None})) if parameter is None else described(parameter)
    with pytest.raises(DescriptionRefused):
        read_description(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '"' + "x" * 300_000 + '"',
        "[" * 1_000,
        described(summary=""),
        described(summary=" \n"),
        described(summary=1),
        described(signature=None),
        described(parameters=True),
        described(parameters=closed(additionalProperties=True)),
        described(parameters={"type": "object", "properties": {"a": {"type": "integer"}}}),
        described(parameters=closed(type="array")),
        described(parameters=closed(properties={}, required=[])),
        described(parameters=closed(required=["b"])),
        described(parameters=closed(properties={"a b": {"type": "integer"}}, required=[])),
        described(parameters=closed(properties={"ä": {"type": "integer"}}, required=[])),
        described(parameters=closed(properties={"x" * 65: {"type": "integer"}}, required=[])),
        described(parameters=closed(properties={f"p{n}": {"type": "integer"} for n in range(4_000)}, required=[])),
        described(parameters=closed(oneOf=[])),
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    """Size, depth, missing parts and odd names are refused with a text for the author."""
    with pytest.raises(DescriptionRefused) as caught:
        read_description(text)
    assert len(str(caught.value)) < 500


def test_texts_are_cut_and_cleaned() -> None:
    """Long texts end at their limit; control and direction characters are dropped."""
    text = "a\x1b[31m\u202eb\x00" + "x" * 10_000
    note = {"type": "integer", "description": "n" * 5_000}
    description = read_description(described(note, summary=text, signature=text))
    assert description.summary.startswith("a[31mb")
    assert len(description.summary) <= 4_000
    assert len(description.signature) <= 1_000
    assert len(description.parameters["properties"]["a"]["description"]) == 1_000


def test_more_keys_beside_the_three_do_not_matter() -> None:
    """A newer agent may say more; it is ignored."""
    assert read_description(described(extra=[1])).summary == "Adds."
