"""No two containers on a host share a user id, since the kernel counts processes by it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.uids import RANGE, REMAPPED_BASE, UidRanges

pytestmark = pytest.mark.unit


@given(st.integers(1, 200))
def test_ranges_in_use_never_overlap(count: int) -> None:
    """Each range is whole, apart from all others, above ordinary users and below what the kernel balks at."""
    ranges = UidRanges()

    bases = sorted(ranges.take() for _ in range(count))

    assert all(later - earlier >= RANGE for earlier, later in itertools.pairwise(bases))
    assert bases[0] >= 1 << 20
    assert bases[-1] + RANGE <= (1 << 30) + (1 << 20)


def test_a_range_that_was_given_back_may_come_again() -> None:
    """What is free is not remembered for ever; giving back twice is no fault."""
    ranges = UidRanges()
    base = ranges.take()
    ranges.give_back(base)
    ranges.give_back(base)

    assert base not in ranges._used


def test_a_range_has_an_id_for_each_call_of_a_container() -> None:
    """The agent takes one for itself and one for each call, and never one twice."""
    assert SandboxPolicy("sha256:0", "{}").max_calls + 1 <= RANGE


def test_a_remapping_engine_gives_each_container_ids_of_its_own() -> None:
    """There are only 65,536 then, and the kernel counts them apart."""
    ranges = UidRanges(remapped=True)

    assert (ranges.take(), ranges.take()) == (REMAPPED_BASE, REMAPPED_BASE)
    assert REMAPPED_BASE + RANGE < 65_533
