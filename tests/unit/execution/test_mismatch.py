"""The place where arguments do not fit is found in a bounded time, however they are made."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any, Final

import pytest

from toolwright.errors import InvalidInput
from toolwright.execution.arguments import check_arguments

_SOON_S: Final = 2.0
"""A tenth of it is enough; the validator's own list of errors took 80 s and 4 GB for the first of these."""
_FEW_BYTES: Final = 64 * 1024 * 1024


def _taking(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}, "required": ["x"], "additionalProperties": False}


def _record(fields: int) -> dict[str, Any]:
    names = [f"p{number}" for number in range(fields)]
    return {
        "type": "object", "properties": {name: {} for name in names}, "required": names, "additionalProperties": False,
    }  # fmt: skip


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _union(*branches: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": list(branches)}


@pytest.mark.parametrize(
    ("schema", "value", "field"),
    [
        pytest.param(_array(_record(1_500)), [{}] * 20_000, "arguments_json.x[0].p0", id="many missing in many"),
        pytest.param(_array({"type": "integer"}), ["a"] * 90_000, "arguments_json.x[0]", id="many of a wrong type"),
        pytest.param(
            _union(_array({"type": "integer"}), _array({"type": "null"})), ["a"] * 90_000, "arguments_json.x[0]",
            id="none fits any of two",
        ),
        pytest.param(
            _union(*[{"enum": [one]} for one in range(16)]), "a" * 1_000_000, "arguments_json.x",
            id="a long text for many",
        ),
        pytest.param(
            _array({"type": "integer"}), [1] * 90_000 + ["a"], "arguments_json.x[90000]", id="the last of many"
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_at_a_bounded_price(schema: dict[str, Any], value: object, field: str) -> None:
    """Neither time nor memory grows with the number of errors that there are."""
    tracemalloc.start()
    begun = time.monotonic()
    with pytest.raises(InvalidInput) as caught:
        check_arguments(_taking(schema), json.dumps({"x": value}))
    took_s, most = time.monotonic() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert caught.value.field == field
    assert len(str(caught.value)) < 1_500  # four alternatives are told
    assert took_s < _SOON_S
    assert most < _FEW_BYTES


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param(
            _union(*[_array(_union(*[{"enum": [one]} for one in range(16)]))] * 16), [15] * 90_000 + ["a"],
            id="unions in unions",
        ),
        pytest.param(_array({"enum": [[one, [one]] for one in range(300)]}), [[299, [299]]] * 20_000, id="odd ones"),
        pytest.param(
            _union(*[_union(*[{"minLength": 2_000_000}] * 16)] * 16), "a" * 1_000_000, id="a long text for very many"
        ),
    ],
)  # fmt: skip
def test_what_would_hold_up_everybody_is_refused(schema: dict[str, Any], value: object) -> None:
    """A check stops every other thread of the server, so one that takes seconds is not made."""
    begun = time.monotonic()
    with pytest.raises(InvalidInput, match="too many values"):
        check_arguments(_taking(schema), json.dumps({"x": value}))
    assert time.monotonic() - begun < _SOON_S


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param(_array(_union({"type": "integer"}, {"type": "null"})), [1, None] * 45_000, id="numbers or none"),
        pytest.param(_array({"enum": [str(one) for one in range(1_000)]}), ["999"] * 90_000, id="one of many words"),
        pytest.param(_union(*[{"enum": [one]} for one in range(16)], {"type": "string"}), "a" * 1_000_000, id="a text"),
    ],
)
def test_large_honest_arguments_pass(schema: dict[str, Any], value: object) -> None:
    """As many values as arguments may have are no trouble where each is checked a few times."""
    check_arguments(_taking(schema), json.dumps({"x": value}))


@pytest.mark.parametrize(
    ("schema", "value", "field", "problem"),
    [
        (_union(_record(1), {"type": "null"}), {}, ".p0", "is missing"),
        (_union(_record(1), {"type": "null"}), {"p0": 1, "q": 2}, ".q", "is no parameter"),
        (_union({"type": "integer"}, {"type": "null"}), "a", "", '"a" is not of type "integer"; "a" is not of type'),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1, "b": "c"}, ".b", "integer"),
        ({"type": "array", "prefixItems": [{"type": "null"}], "items": False}, [1], "[0]", "null"),
        ({"type": "array", "prefixItems": [{"type": "null"}], "items": {"type": "null"}}, [None, None, 1], "[2]", ""),
        ({"type": "array", "minItems": 2, "items": {"type": "null"}}, [None], "", "less than 2 items"),
        (
            _array(_array(_union({"type": "integer"}, _array({"type": "null"})))),
            [[1], [[None, 5]]],
            "[1][0][1]",
            "null",
        ),
    ],
)
def test_each_kind_of_part_is_found(schema: dict[str, Any], value: object, field: str, problem: str) -> None:
    """The path leads through records, maps, lists, tuples and the alternative that was meant."""
    with pytest.raises(InvalidInput) as caught:
        check_arguments(_taking(schema), json.dumps({"x": value}))
    assert caught.value.field == f"arguments_json.x{field}"
    assert problem in caught.value.problem
