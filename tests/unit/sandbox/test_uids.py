"""No two containers on a host share a user id, since the kernel counts processes by it."""

from __future__ import annotations

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import docker
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from toolwright.sandbox.docker_pool import DockerLauncher
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SCRATCH_GROUP, SandboxPolicy
from toolwright.sandbox.uids import CALLS, RANGE, REMAPPED_BASE, UidRanges
from toolwright.settings import SandboxSettings

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


class SlowSet(set[int]):
    """Takes its time to look, so that another thread looks as well before the first has added."""

    def __contains__(self, item: object) -> bool:
        found = super().__contains__(item)
        time.sleep(0.002)
        return found


def test_no_two_threads_get_one_range() -> None:
    """Containers start several at a time; what each draws first is the same here."""
    drawn = threading.local()

    def draw(below: int) -> int:
        drawn.last = getattr(drawn, "last", -1) + 1
        return int(drawn.last) % below

    ranges = UidRanges(draw=draw)
    ranges._used = SlowSet()
    with ThreadPoolExecutor(8) as threads:
        bases = [one.result() for one in [threads.submit(ranges.take) for _ in range(16)]]

    assert len(set(bases)) == 16


def test_a_range_has_an_id_for_each_call_of_a_container() -> None:
    """The agent takes one for itself and one for each call, and never one twice."""
    assert SandboxPolicy("sha256:0", "{}").max_calls <= CALLS
    assert CALLS + 1 < RANGE


def test_settings_promise_no_more_calls_than_there_are_ids() -> None:
    """The last one is allowed, one more is refused with the bound."""
    assert SandboxSettings(max_calls=CALLS).max_calls == CALLS
    with pytest.raises(ValidationError, match=rf"less than or equal to {CALLS}"):
        SandboxSettings(max_calls=CALLS + 1)


@pytest.mark.parametrize("asked", [1, CALLS, CALLS + 1, 100_000])
def test_a_container_retires_when_its_ids_are_used_up(asked: int) -> None:
    """Whatever policy it is given: the next id may be another container's."""
    engine = Engine("nowhere", docker.DockerClient("tcp://127.0.0.1:9", version="1.41"), "0", {})
    launcher = DockerLauncher(engine, SandboxPolicy("sha256:0", json.dumps({}), max_calls=asked))

    assert launcher.policy.max_calls == min(asked, CALLS)
    engine.client.close()


def test_a_remapping_engine_gives_each_container_ids_of_its_own() -> None:
    """There are only 65,536 then, and the kernel counts them apart."""
    ranges = UidRanges(remapped=True)

    assert (ranges.take(), ranges.take()) == (REMAPPED_BASE, REMAPPED_BASE)
    assert REMAPPED_BASE + RANGE < SCRATCH_GROUP < 65_536
