"""Which calls are unlike those that a version was verified with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toolwright.lifecycle.drift import Profile

pytestmark = pytest.mark.unit


def unlike(seen: list[dict[str, Any]], call: dict[str, Any]) -> bool:
    """Return whether `call` is unlike all of `seen`."""
    return Profile.of_calls(map(json.dumps, seen)).is_unlike(json.dumps(call))


@pytest.mark.parametrize(
    ("seen", "call"),
    [
        ([{"n": 20}], {"n": 9}),
        ([{"n": 20}], {"n": 63}),
        ([{"n": 1}, {"n": 1000}], {"n": 100}),
        ([{"n": 20}], {"n": 20.5}),
        ([{"s": "abcd"}], {"s": "wxyzabcd"}),
        ([{"w": ["a", "b"]}], {"w": ["c", "d", "e"]}),
        ([{"o": {"k": 1}}], {"o": {"other": 1}}),
        ([{"n": 5, "m": None}, {"n": 5, "m": True}], {"n": 6, "m": None}),
    ],
)
def test_what_is_alike(seen: list[dict[str, Any]], call: dict[str, Any]) -> None:
    """The same types, and sizes within one doubling of those that were seen."""
    assert not unlike(seen, call)


@pytest.mark.parametrize(
    ("seen", "call"),
    [
        ([{"n": 20}], {"n": 1_000}),
        ([{"n": 20}], {"n": -20}),
        ([{"n": 20}], {"n": "20"}),
        ([{"n": 20}], {"n": None}),
        ([{"n": 20}], {"n": 20, "m": 1}),
        ([{"n": 1}], {"n": 1e300}),
        ([{"s": "abcd"}], {"s": "x" * 400}),
        ([{"w": ["a"]}], {"w": [1]}),
        ([{"w": []}], {"w": ["a"]}),
        ([{"w": ["a", "b"]}], {"w": ["a"] * 40}),
    ],
)
def test_what_is_unlike(seen: list[dict[str, Any]], call: dict[str, Any]) -> None:
    """Another type in the same place, another sign, or a size far beyond."""
    assert unlike(seen, call)


def test_what_cannot_be_read_is_not_judged() -> None:
    """A text that is no JSON object has no values, so none is unlike."""
    assert not Profile.of_calls(['{"n":1}']).is_unlike("[]")
    assert not Profile.of_calls(['{"n":1}']).is_unlike("{")
