"""Makings as jobs: shared, bounded, cancelled, and taken up again where a server left them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.making.addition import GOOD, TASK, Bench, addition, bench, block
from toolwright.calling.testing import ModelRequest, Scripted, ScriptedModel, says
from toolwright.domain.events import Checked, Made, MakingEvent, NotMade, Proposed, Rejected, Resumed, Started
from toolwright.domain.job import Budget, Job, JobKind, JobState
from toolwright.errors import CallCancelled, DeadlineExceeded, InvalidInput, ModelUnavailable, NotFound, Overloaded
from toolwright.making.rules import Rules
from toolwright.making.workshop import Workshop
from toolwright.registry.base import Store
from toolwright.registry.sql import SqlStore
from toolwright.sandbox.base import Cancellation

WRONG = block("# crashing\ndef add_numbers(a, b): 0")


@contextmanager
def workshop(at: Bench, **rules: Any) -> Iterator[Workshop]:
    """Open a workshop for the maker of `at`."""
    usual: dict[str, Any] = {"budget": Budget(attempts=5), "lease_s": 0.3}
    opened = Workshop(at.pipeline, at.store, rules=Rules(**usual | rules))
    try:
        yield opened
    finally:
        opened.close()


class Gate:
    """A maker's replies, of which those from a number on wait until they may come."""

    def __init__(self, *replies: Scripted, waits_from: int = 1) -> None:
        self.replies, self.waits_from = replies, waits_from
        self.asked = threading.Event()
        self.open = threading.Event()
        self.count = 0

    def __call__(self, _: ModelRequest) -> Scripted:
        self.count += 1
        number = self.count
        if number >= self.waits_from:
            self.asked.set()
            assert self.open.wait(20)
        return self.replies[min(number, len(self.replies)) - 1]


def gated(*replies: Scripted, waits_from: int = 1, store: Store | None = None) -> tuple[Bench, Gate]:
    """Return a bench whose maker waits before it gives its replies."""
    gate = Gate(*replies, waits_from=waits_from)
    model = ScriptedModel(gate, "strong")
    return (Bench(model, store=store) if store else Bench(model)), gate


def id_of(events: Iterator[MakingEvent]) -> str:
    """Return the id that the first event gives."""
    first = next(events)
    assert isinstance(first, Started)
    return first.making_id


def until(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    pytest.fail("it did not come about")


def test_a_making_is_a_job() -> None:
    """It is kept with its budget while it runs, and with its end and its cost afterwards."""
    at, gate = gated(says(GOOD))
    with workshop(at) as shop:
        events = shop.make(TASK, budget=Budget(3, 10_000, 1.0, 60.0), kind=JobKind.REMAKE)
        making_id = id_of(events)
        assert gate.asked.wait(10)
        running = at.store.jobs.get(making_id)
        assert (running.state, running.kind, running.begun) == (JobState.RUNNING, JobKind.REMAKE, 1)
        assert running.budget == Budget(3, 10_000, 1.0, 60.0)
        assert shop.running == 1
        gate.open.set()
        made = list(events)[-1]
        assert isinstance(made, Made)
        done = at.store.jobs.get(making_id)
        assert (done.state, done.tool_digest, done.owner) == (JobState.DONE, made.tool.digest, "")
        assert done.token_use == made.token_use
        assert done.spent.tokens == 110 + 5 * 55
        assert done.seconds > 0
        until(lambda: shop.running == 0)
        assert list(shop.follow(making_id))[-1] == made


def test_two_requests_share_one_job() -> None:
    """The newcomer gets the steps so far and then the rest; the maker is paid once."""
    at, gate = gated(says(WRONG), says(GOOD), waits_from=2)
    with workshop(at) as shop:
        one = shop.make(TASK)
        making_id = id_of(one)
        assert gate.asked.wait(10)
        two = shop.make(TASK, attempts=4)
        assert next(two) == Started(making_id, shared=True)
        assert next(two) == Proposed(1, "# crashing\ndef add_numbers(a, b): 0\n")
        gate.open.set()
        rest = list(two)
        assert isinstance(rest[-1], Made)
        assert [*list(one)[1:]] == rest
        assert gate.count == 2
        assert len(at.store.jobs.list()) == 1


def test_a_higher_budget_is_another_job() -> None:
    """What may spend less does not do for it."""
    at, gate = gated(says(GOOD))
    with workshop(at) as shop:
        assert id_of(shop.make(TASK, attempts=2)) != id_of(shop.make(TASK, attempts=3))
        gate.open.set()


def test_leaving_ends_nothing() -> None:
    """Closing, a deadline and a switch end the reading; the tool is made all the same."""
    at, gate = gated(says(GOOD))
    cancellation = Cancellation()
    with workshop(at) as shop:
        first = shop.make(TASK)
        making_id = id_of(first)
        first.close()
        with pytest.raises(DeadlineExceeded):
            list(shop.make(TASK, deadline_s=0.1))
        third = shop.make(TASK, cancellation=cancellation)
        next(third)
        threading.Timer(0.1, cancellation.cancel).start()
        with pytest.raises(CallCancelled):
            next(third)
        gate.open.set()
        assert isinstance(list(shop.follow(making_id))[-1], Made)
    assert gate.count == 1


def test_cancelling_ends_it_promptly() -> None:
    """Nothing more is asked, the readers are told, and the record says why."""
    at, gate = gated(says(WRONG), waits_from=2)
    with workshop(at) as shop:
        events = shop.make(TASK)
        making_id = id_of(events)
        assert gate.asked.wait(10)
        assert shop.cancel(making_id, "too dear").cancel_requested
        gate.open.set()
        end = list(events)[-1]
    assert isinstance(end, NotMade)
    assert (end.reason, end.ended_by) == ("too dear", "cancelled")
    job = at.store.jobs.get(making_id)
    assert (job.state, job.reason) == (JobState.CANCELLED, "too dear")
    assert gate.count == 2
    assert at.making.failure.startswith("CallCancelled")
    assert not at.store.list_tools()
    with workshop(at) as shop:
        assert list(shop.follow(making_id))[-1] == NotMade("too dear", 2, job.token_use, "cancelled")
        with pytest.raises(NotFound):
            shop.cancel("none")


def test_too_many_wait_and_beyond_that_are_refused() -> None:
    """One runs, one waits, one is refused with a time to come back; the waiting one can be cancelled at once."""
    at, gate = gated(says(GOOD))
    with workshop(at, max_running=1, max_queue=1) as shop:
        first, second = shop.make(TASK), shop.make(addition("second"))
        second_id = id_of(second)
        assert at.store.jobs.get(second_id).state is JobState.QUEUED
        with pytest.raises(Overloaded) as refused:
            shop.make(addition("third"))
        assert refused.value.retry_after_s > 0
        shop.make(TASK).close()  # sharing needs no place
        assert shop.cancel(second_id, "enough").state is JobState.CANCELLED
        assert next(second) == NotMade("enough", 0, (), "cancelled")
        third = shop.make(addition("third"))
        gate.open.set()
        assert isinstance(list(first)[-1], Made)
        gate.replies = (says(GOOD.replace("add_numbers", "third")),)
        assert isinstance(list(third)[-1], Made)


def test_a_fault_ends_it_and_is_raised() -> None:
    """To all who read; on record it is a failure, and a new request begins anew."""
    faults: list[tuple[Job, Exception]] = []
    at = bench(ModelUnavailable("503"), says(GOOD))
    shop = Workshop(at.pipeline, at.store, on_fault=lambda job, fault: faults.append((job, fault)))
    with closing(shop):
        events = shop.make(TASK)
        making_id = id_of(events)
        with pytest.raises(ModelUnavailable):
            list(events)
        until(lambda: shop.running == 0)
        job = at.store.jobs.get(making_id)
        assert (job.state, job.reason) == (JobState.FAILED, "ModelUnavailable: 503")
        assert list(shop.follow(making_id))[-1] == NotMade(job.reason, 1, (), "fault")
        assert [(job.making_id, type(fault)) for job, fault in faults] == [(making_id, ModelUnavailable)]
        assert isinstance(list(shop.make(TASK))[-1], Made)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Budget(tokens=101), "max_tokens"),
        (Budget(cost_usd=1.5), "max_cost_usd"),
        (Budget(seconds=61.0), "max_seconds"),
        (Budget(attempts=11), "attempts"),
    ],
)
def test_a_request_may_only_lower(asked: Budget, field: str) -> None:
    """The operator's bounds are ceilings, and what a request does not name."""
    at, gate = gated(says(GOOD))
    with workshop(at, budget=Budget(5, 100, 1.0, 60.0)) as shop:
        with pytest.raises(InvalidInput, match=field):
            shop.make(TASK, budget=asked)
        assert not at.store.jobs.list()
        making_id = id_of(shop.make(TASK, budget=Budget(tokens=50)))
        assert at.store.jobs.get(making_id).budget == Budget(5, 50, 1.0, 60.0)
        gate.open.set()


def test_a_making_is_taken_up_where_its_server_left_it() -> None:
    """The chat goes on with the kept attempts; the one under way counts, is on record as lost, and is begun anew."""
    at, gate = gated(says(WRONG), says(WRONG), waits_from=2)
    dead = Workshop(at.pipeline, at.store, rules=Rules(lease_s=0.3, adopt=False))
    events = dead.make(TASK)
    making_id = id_of(events)
    assert gate.asked.wait(10)
    run = dead._crew._runs[making_id]
    dead._crew._closing.set()  # its keeper renews no more, as if it had been killed
    before = at.store.jobs.get(making_id)
    assert before.begun == 2

    other, second = gated(says(GOOD), store=at.store)
    with workshop(other) as shop:
        events = shop.follow(making_id)
        seen = [next(events), next(events)]
        threading.Timer(0.8, second.open.set).start()
        seen += list(events)
        gate.open.set()
        until(lambda: run.let_go or not dead._crew._threads)
    assert Resumed(2, 1) in seen
    made = seen[-1]
    assert isinstance(made, Made)
    assert made.attempts == 3
    (request,) = other.maker.requests
    assert [message.role for message in request.messages] == ["system", "user", "assistant", "user"]
    assert request.messages[2].content == WRONG
    assert "IndexError" in request.messages[3].content
    assert [(attempt.number, attempt.accepted) for attempt in at.attempts] == [(1, False), (2, False), (3, True)]
    assert at.attempts[1].verdict.startswith("lost: ")
    assert sum(use.calls for use in made.token_use if use.role == "maker") == 2, "the lost exchange gave no count"
    job = at.store.jobs.get(making_id)
    assert (job.state, job.starts, job.tool_digest) == (JobState.DONE, 2, made.tool.digest)
    assert at.making.failure == ""


def test_a_server_that_lost_its_lease_records_nothing_more() -> None:
    """Nor does it admit a tool: the one that has the making now decides."""
    at, gate = gated(says(GOOD))
    slept = Workshop(at.pipeline, at.store, rules=Rules(lease_s=0.3, adopt=False))
    making_id = id_of(slept.make(TASK))
    assert gate.asked.wait(10)
    slept._crew._closing.set()
    other, second = gated(says(WRONG), store=at.store)
    with workshop(other) as shop:
        shop.start()
        until(lambda: at.store.jobs.get(making_id).starts == 2)
        gate.open.set()
        until(lambda: not slept._crew._threads)
        assert not at.store.list_tools()
        assert at.making.finished_at is None
        second.open.set()
        assert isinstance(list(shop.follow(making_id))[-1], NotMade)


def test_another_servers_making_is_followed_by_its_record(tmp_path: Path) -> None:
    """A second server's client shares the job, and sees what is kept of it: proposals, refusals and the end."""
    with closing(SqlStore(f"sqlite:///{tmp_path}/r.db")) as one, closing(SqlStore(f"sqlite:///{tmp_path}/r.db")) as two:
        at, gate = gated(says(WRONG), says(GOOD), waits_from=2, store=one)
        beside = Bench(ScriptedModel([], "strong"), store=two)
        with workshop(at, lease_s=5.0) as first, workshop(beside, lease_s=0.3) as second:
            own = first.make(TASK)
            making_id = id_of(own)
            assert gate.asked.wait(10)
            events = second.make(TASK)
            assert next(events) == Started(making_id, shared=True)
            assert next(events) == Proposed(1, "# crashing\ndef add_numbers(a, b): 0\n")
            assert isinstance(next(events), Rejected)
            gate.open.set()
            rest = list(events)
            made = list(own)[-1]
        assert not beside.maker.requests
        assert [type(event) for event in rest] == [Proposed, Made]
        assert rest[-1] == made


def test_cancelling_reaches_another_server(tmp_path: Path) -> None:
    """Within a third of the lease."""
    with closing(SqlStore(f"sqlite:///{tmp_path}/r.db")) as one, closing(SqlStore(f"sqlite:///{tmp_path}/r.db")) as two:
        at, gate = gated(says(WRONG), store=one)
        with workshop(at) as first, workshop(Bench(ScriptedModel([], "strong"), store=two)) as second:
            events = first.make(TASK)
            making_id = id_of(events)
            assert gate.asked.wait(10)
            second.cancel(making_id, "enough")
            run = first._crew._runs[making_id]
            until(lambda: run.cancellation.cancelled)
            gate.open.set()
            assert list(events)[-1] == NotMade("enough", 1, one.jobs.get(making_id).token_use, "cancelled")


def test_an_end_gives_back_what_runs() -> None:
    """A server for all lets the next one go on at once; a process of its own ends what it had asked for."""
    at, gate = gated(says(GOOD))
    with workshop(at, lease_s=3600.0) as shop:
        making_id = id_of(shop.make(TASK))
        assert gate.asked.wait(10)
    assert at.store.jobs.get(making_id).lease_until == 0.0
    gate.open.set()
    other = Bench(ScriptedModel([says(GOOD)], "strong"), store=at.store)
    with workshop(other) as shop:
        assert isinstance(list(shop.follow(making_id))[-1], Made)

    at, gate = gated(says(GOOD))
    with workshop(at, adopt=False, lease_s=3600.0) as shop:
        making_id = id_of(shop.make(TASK))
        assert gate.asked.wait(10)
    gate.open.set()
    job = at.store.jobs.get(making_id)
    assert (job.state, job.reason) == (JobState.CANCELLED, "its process ended")


def test_a_process_of_its_own_takes_up_only_what_it_asked_for() -> None:
    """What others left is for a server; following it by name is asking."""
    at, gate = gated(says(GOOD))
    with workshop(at, lease_s=3600.0) as shop:
        making_id = id_of(shop.make(TASK))
        assert gate.asked.wait(10)
    gate.open.set()
    other = Bench(ScriptedModel([says(GOOD.replace("add_numbers", "second")), says(GOOD)], "strong"), store=at.store)
    with workshop(other, adopt=False) as shop:
        assert isinstance(list(shop.make(addition("second")))[-1], Made | NotMade)
        time.sleep(0.3)
        assert at.store.jobs.get(making_id).state is JobState.RUNNING
        assert not at.store.jobs.get(making_id).owner
        assert isinstance(list(shop.follow(making_id))[-1], Made)


def test_an_online_making_is_not_begun_twice() -> None:
    """Between a question's look and its job another one's may have ended: its end is taken."""
    at = bench(says(WRONG), says(WRONG))
    with workshop(at, budget=Budget(2)) as shop:
        first = list(shop.make(TASK, kind=JobKind.ONLINE))[-1]
        until(lambda: shop.running == 0)
        again = list(shop.make(TASK, kind=JobKind.ONLINE))[-1]
        assert isinstance(first, NotMade)
        assert isinstance(again, NotMade)
        assert (again.reason, again.attempts, again.token_use) == (first.reason, 0, ())
        assert len(at.maker.requests) == 2


def test_a_tool_that_was_admitted_before_the_end_is_not_made_again() -> None:
    """The server was killed between the two: the next one finds the tool."""
    at = bench(says(GOOD))
    with workshop(at) as shop:
        events = shop.make(TASK)
        making_id = id_of(events)
        made = list(events)[-1]
    assert isinstance(made, Made)
    job = at.store.jobs.get(making_id)
    at.store.jobs._rows[making_id].update(state="running", finished_at=None, lease_until=0.0, owner="gone")  # type: ignore[attr-defined]
    other = Bench(ScriptedModel([], "strong"), store=at.store)
    with workshop(other) as shop:
        end = list(shop.follow(making_id))[-1]
    assert isinstance(end, Made)
    assert end.tool == made.tool
    assert not other.maker.requests
    assert at.store.jobs.get(making_id).tool_digest == job.tool_digest


def test_checks_are_seen_by_those_who_follow_here() -> None:
    """In the process that makes the tool each example is an event."""
    at = bench(says(GOOD))
    with workshop(at) as shop:
        assert len([event for event in shop.make(TASK) if isinstance(event, Checked)]) == 5
