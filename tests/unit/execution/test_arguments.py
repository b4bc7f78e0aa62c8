"""Arguments are checked before a sandbox is used, and the first problem is named by its path."""

from __future__ import annotations

import json

import pytest

from toolwright.errors import InvalidInput
from toolwright.execution.arguments import check_arguments, parse_arguments

SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "words": {"type": "array", "items": {"type": "string"}},
        "pairs": {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]},
        "point": {
            "type": "array",
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "minItems": 2,
            "items": False,
        },
    },
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "arguments",
    ['{"n": 1}', '{"n": -5, "words": []}', '{"n": 2, "pairs": null}', '{"n": 2.0}', '{"n": 1, "point": [1, "a"]}'],
)
def test_good_arguments_pass(arguments: str) -> None:
    """What the schema allows is taken."""
    check_arguments(SCHEMA, arguments)


@pytest.mark.parametrize(
    ("arguments", "field", "problem"),
    [
        ("{}", "arguments_json.n", "is missing"),
        ('{"n": 1, "x": 2}', "arguments_json.x", "is no parameter"),
        ('{"n": true}', "arguments_json.n", 'not of type "integer"'),
        ('{"n": null}', "arguments_json.n", 'not of type "integer"'),
        ('{"n": "1"}', "arguments_json.n", 'not of type "integer"'),
        ('{"n": 1, "words": ["a", 2]}', "arguments_json.words[1]", 'not of type "string"'),
        ('{"n": 1, "pairs": [1, "b"]}', "arguments_json.pairs[1]", 'not of type "integer"'),
        ('{"n": 1, "pairs": "b"}', "arguments_json.pairs", 'not of type "null"'),
        ('{"n": 1, "point": [1, "a", 3]}', "arguments_json.point", ""),
        ("[]", "arguments_json", "is an array"),
        ("null", "arguments_json", "is null"),
        ('{"n": 1', "arguments_json", "is no JSON"),
        ('{"n": 1, "n": 2}', "arguments_json", "twice"),
        ('{"n": NaN}', "arguments_json", "NaN"),
        ("", "arguments_json", "is no JSON"),
        ('{"n": ' + "[" * 65 + "]" * 65 + "}", "arguments_json", "deeper"),
        ('{"n": "' + "x" * 1_048_576 + '"}', "arguments_json", "bytes"),
    ],
)
def test_first_problem_is_named(arguments: str, field: str, problem: str) -> None:
    """The error carries the path of what is wrong, and stays short."""
    with pytest.raises(InvalidInput) as caught:
        check_arguments(SCHEMA, arguments)
    assert caught.value.field.startswith(field)
    assert problem in caught.value.problem
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("value", [10**399, -(10**398), 2**64, 2**53 + 1])
def test_large_integers_are_integers(value: int) -> None:
    """Integers of up to 400 digits pass the schema and stay exact."""
    text = json.dumps({"n": value})
    check_arguments(SCHEMA, text)
    assert parse_arguments(text)["n"] == value


def test_large_integers_keep_to_bounds_and_enums() -> None:
    """The validator compares large integers as integers, not as floats."""
    bounded = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 10**300}}}
    check_arguments(bounded, json.dumps({"n": 10**300}))
    with pytest.raises(InvalidInput):
        check_arguments(bounded, json.dumps({"n": 10**300 + 1}))
    listed = {"type": "object", "properties": {"n": {"enum": [10**300]}}}
    check_arguments(listed, json.dumps({"n": 10**300}))
    with pytest.raises(InvalidInput):
        check_arguments(listed, json.dumps({"n": 10**300 + 1}))


def test_long_values_are_cut_but_the_need_is_said() -> None:
    """A message of a long value still ends with what was needed."""
    with pytest.raises(InvalidInput, match='is not of type "integer"'):
        check_arguments(SCHEMA, json.dumps({"n": "z" * 10_000}))
