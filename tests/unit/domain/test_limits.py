"""Ceilings hold: a request may lower each of them and raise none."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.domain.limits import MIB, Limits, LimitsRequest
from toolwright.errors import InvalidInput

pytestmark = pytest.mark.unit

CEILINGS = Limits()
FIELDS = [one.name for one in fields(LimitsRequest)]


def test_the_ceilings_are_those_that_are_promised() -> None:
    """A change here is a change of what every tool may use."""
    assert Limits(10.0, 256 * MIB, 32, 64 * MIB, MIB, 4 * MIB) == CEILINGS


def test_asking_for_nothing_changes_nothing() -> None:
    """Every ceiling is in force for every call."""
    assert CEILINGS.lowered(LimitsRequest()) == CEILINGS


@pytest.mark.parametrize("name", FIELDS)
def test_each_limit_can_be_lowered_alone(name: str) -> None:
    """Down to anything above zero, up to the ceiling itself; the others stay."""
    ceiling = getattr(CEILINGS, name)
    for value in (1, ceiling):
        lowered = CEILINGS.lowered(LimitsRequest(**{name: value}))
        assert getattr(lowered, name) == value
        assert replace(lowered, **{name: ceiling}) == CEILINGS


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("kind", ["zero", "negative", "above", "huge", "not a number", "infinite"])
def test_no_limit_can_be_raised_or_switched_off(name: str, kind: str) -> None:
    """The message names the field, the value and the ceiling."""
    ceiling = getattr(CEILINGS, name)
    bad: Any = {
        "zero": 0,
        "negative": -1,
        "above": ceiling + 1,
        "huge": 2**63,
        "not a number": math.nan,
        "infinite": math.inf,
    }[kind]
    with pytest.raises(InvalidInput, match=f"limits.{name}: {bad} .*at most {ceiling}"):
        CEILINGS.lowered(LimitsRequest(**{name: bad}))


numbers = st.none() | st.integers(-10, 2**40) | st.floats()


@given(numbers, numbers, numbers, numbers)
def test_whatever_is_asked_nothing_rises(wall: Any, memory: Any, output: Any, result: Any) -> None:
    """Refused, or at most the ceilings and above zero."""
    try:
        lowered = CEILINGS.lowered(LimitsRequest(wall, memory, output, result))
    except InvalidInput:
        return
    for one in fields(Limits):
        assert 0 < getattr(lowered, one.name) <= getattr(CEILINGS, one.name)


def test_limits_cannot_be_changed_on_the_way() -> None:
    """What was checked is what is enforced."""
    with pytest.raises(FrozenInstanceError):
        CEILINGS.wall_time_s = 999  # type: ignore[misc]  # that is the point
