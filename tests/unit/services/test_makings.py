"""Makings go on without their client, in a bounded number."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from toolwright.domain.events import MakingEvent, NotMade, Proposed
from toolwright.errors import Overloaded, StoreUnavailable
from toolwright.services.makings import Makings

END = NotMade("enough", 1, ())


def wait_until_idle(makings: Makings) -> None:
    """Wait until no making is running."""
    waiting = threading.Event()
    for _ in range(1000):
        if not makings.running:
            return
        waiting.wait(0.005)
    raise AssertionError("a making is still running")


def test_events_arrive_in_order() -> None:
    """The reader gets what the making gave, and then an end."""
    makings = Makings(max_running=1)
    assert list(makings.start(lambda: iter([Proposed(1, "a"), END]))) == [Proposed(1, "a"), END]
    wait_until_idle(makings)


def test_making_goes_on_when_its_reader_leaves() -> None:
    """The rest of the making is done for nobody; the reader that left ends at once."""
    going_on, done = threading.Event(), threading.Event()

    def make() -> Iterator[MakingEvent]:
        yield Proposed(1, "a")
        assert going_on.wait(10)
        yield END
        done.set()

    makings = Makings(max_running=1)
    reader = makings.start(make)
    events = iter(reader)
    assert next(events) == Proposed(1, "a")
    reader.leave()
    assert list(events) == []
    assert makings.running == 1
    going_on.set()
    assert done.wait(10)
    wait_until_idle(makings)


def test_fault_of_the_making_reaches_the_reader() -> None:
    """What the making raises is raised where its events are read."""

    def make() -> Iterator[MakingEvent]:
        yield Proposed(1, "a")
        raise StoreUnavailable("no registry")

    events = iter(Makings(max_running=1).start(make))
    assert next(events) == Proposed(1, "a")
    with pytest.raises(StoreUnavailable, match="no registry"):
        next(events)


def test_too_many_are_refused() -> None:
    """One more than allowed is refused with a time to come back, and the place is free again afterwards."""
    going_on = threading.Event()

    def make() -> Iterator[MakingEvent]:
        assert going_on.wait(10)
        yield END

    makings = Makings(max_running=1)
    first = makings.start(make)
    with pytest.raises(Overloaded) as refused:
        makings.start(make)
    assert refused.value.retry_after_s > 0
    going_on.set()
    assert list(first) == [END]
    wait_until_idle(makings)
    assert list(makings.start(make)) == [END]
