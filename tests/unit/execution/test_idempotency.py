"""A key names one run: the same request gets its reply, another is refused, a failure frees the key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.outcome import Execution, Outcome, Output, Provenance, Status, Timing
from toolwright.domain.source import ToolSource
from toolwright.errors import CallCancelled, DeadlineExceeded, InvalidInput, SandboxUnavailable, ToolwrightError
from toolwright.execution.idempotency import MAX_KEY_CHARS, REMEMBERED, REMEMBERED_BYTES, OnceOnly
from toolwright.sandbox.base import Cancellation

pytestmark = pytest.mark.unit

REQUEST = ExecutionRequest("add", '{"a":1}', idempotency_key="k")


def execution(number: int, *, stdout: bytes = b"", result_json: str = "1") -> Execution:
    """Return a reply that can be told from others."""
    outcome = Outcome(Status.SUCCESS, result_json=result_json, stdout=Output(stdout, len(stdout)))
    return Execution(f"e-{number}", outcome, Limits(), Timing(), Provenance())


def test_a_waiting_caller_keeps_its_own_patience() -> None:
    """Its deadline and its cancellation end its wait; the first caller's run goes on."""
    once, slow, cancelled = OnceOnly(), Counter(wait_s=0.5), Cancellation()
    cancelled.cancel()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(once.run, REQUEST, slow)
        while not slow.runs:
            time.sleep(0.005)
        with pytest.raises(DeadlineExceeded):
            once.run(REQUEST, slow, deadline=time.monotonic() + 0.05)
        with pytest.raises(CallCancelled):
            once.run(REQUEST, slow, cancellation=cancelled)
        assert not first.done()
        assert once.run(REQUEST, slow) is first.result()
    assert slow.runs == 1


class Counter:
    """Runs, and counts how often."""

    def __init__(self, fault: ToolwrightError | None = None, wait_s: float = 0.0, stdout: bytes = b"") -> None:
        self.runs = 0
        self._fault, self._wait_s, self._stdout = fault, wait_s, stdout

    def __call__(self) -> Execution:
        self.runs += 1
        time.sleep(self._wait_s)
        if self._fault is not None:
            raise self._fault
        return execution(self.runs, stdout=self._stdout)


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until it holds, at most two seconds."""
    deadline = time.monotonic() + 2
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_the_same_key_runs_once() -> None:
    """The second request gets the first one's very reply."""
    once, counter = OnceOnly(), Counter()

    first, second = once.run(REQUEST, counter), once.run(REQUEST, counter)

    assert (counter.runs, first) == (1, second)


def test_many_at_once_run_once() -> None:
    """Requests that come while the first one runs wait for it."""
    once, counter = OnceOnly(), Counter(wait_s=0.1)
    with ThreadPoolExecutor(8) as threads:
        replies = [one.result(5) for one in [threads.submit(once.run, REQUEST, counter) for _ in range(8)]]

    assert counter.runs == 1
    assert {reply.execution_id for reply in replies} == {"e-1"}


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, target="sub"),
        replace(REQUEST, target=ToolSource("def add(): ...", "add")),
        replace(REQUEST, arguments_json='{"a":2}'),
        replace(REQUEST, operation=Operation.DESCRIBE),
        replace(REQUEST, limits=LimitsRequest(wall_time_s=1)),
    ],
)
def test_a_key_is_for_one_call(other: ExecutionRequest) -> None:
    """Used for another call it would give a wrong answer: refused, and not run."""
    once, counter = OnceOnly(), Counter()
    once.run(REQUEST, counter)

    with pytest.raises(InvalidInput, match="idempotency_key: was used for another"):
        once.run(other, counter)
    assert counter.runs == 1


def test_tenants_have_keys_of_their_own() -> None:
    """What one tenant runs is no other's reply."""
    once, counter = OnceOnly(), Counter()
    once.run(REQUEST, counter)
    once.run(replace(REQUEST, tenant="other", arguments_json="{}"), counter)

    assert counter.runs == 2


def test_a_failure_frees_the_key() -> None:
    """Nothing was kept, so the same key may be used again, even for another call."""
    once, failing, fine = OnceOnly(), Counter(SandboxUnavailable("gone")), Counter()
    with pytest.raises(SandboxUnavailable):
        once.run(REQUEST, failing)

    assert once.run(replace(REQUEST, arguments_json="{}"), fine).execution_id == "e-1"


def test_who_waits_hears_of_the_failure() -> None:
    """A fault that is not the first caller's own is everyone's."""
    once, failing = OnceOnly(), Counter(SandboxUnavailable("gone"), wait_s=0.1)
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(once.run, REQUEST, failing) for _ in range(2)]
        faults = [one.exception(5) for one in asked]

    assert failing.runs == 1
    assert [type(fault) for fault in faults] == [SandboxUnavailable, SandboxUnavailable]


@pytest.mark.parametrize("fault", [CallCancelled("gone"), DeadlineExceeded("late")])
def test_who_waits_does_not_end_with_another_callers_patience(fault: ToolwrightError) -> None:
    """A retry of a caller who went away gets a run of its own, not the news that someone cancelled."""
    once, cancelled, mine = OnceOnly(), Counter(fault, wait_s=0.2), Counter()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(once.run, REQUEST, cancelled)
        wait_until(lambda: cancelled.runs == 1)
        second = threads.submit(once.run, REQUEST, mine)

        assert isinstance(first.exception(5), type(fault))
        assert second.result(5).execution_id == "e-1"
    assert (cancelled.runs, mine.runs) == (1, 1)


def test_a_key_is_short() -> None:
    """The limit is named, and nothing runs."""
    once, counter = OnceOnly(), Counter()
    once.run(replace(REQUEST, idempotency_key="k" * MAX_KEY_CHARS), counter)
    with pytest.raises(InvalidInput, match=f"at most {MAX_KEY_CHARS}"):
        once.run(replace(REQUEST, idempotency_key="k" * (MAX_KEY_CHARS + 1)), counter)
    assert counter.runs == 1


def test_old_keys_are_forgotten() -> None:
    """The last ones are remembered; memory does not grow with the number of keys."""
    once, counter = OnceOnly(), Counter()
    for number in range(REMEMBERED + 10):
        once.run(replace(REQUEST, idempotency_key=str(number)), counter)

    assert len(once._runs) == REMEMBERED
    once.run(replace(REQUEST, idempotency_key="20"), counter)
    assert counter.runs == REMEMBERED + 10
    once.run(replace(REQUEST, idempotency_key="0"), counter)
    assert counter.runs == REMEMBERED + 11


def test_large_replies_are_forgotten_sooner() -> None:
    """Nor with the size of what tools return: the oldest go when all together take too much."""
    once, counter = OnceOnly(), Counter(stdout=bytes(1_000_000))
    count = REMEMBERED_BYTES // 1_000_000 + 20
    for number in range(count):
        once.run(replace(REQUEST, idempotency_key=str(number)), counter)

    assert len(once._runs) < count
    assert once._bytes <= REMEMBERED_BYTES
    once.run(replace(REQUEST, idempotency_key=str(count - 1)), counter)
    assert counter.runs == count


def test_a_run_is_not_forgotten_while_it_runs() -> None:
    """However many keys come meanwhile, a second request of the same key still waits for the first."""
    once, go, runs = OnceOnly(), threading.Event(), list[int]()

    def slow() -> Execution:
        runs.append(1)
        assert go.wait(10)
        return execution(1)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(once.run, REQUEST, slow)
        wait_until(lambda: len(runs) == 1)
        for number in range(REMEMBERED + 1):
            once.run(replace(REQUEST, idempotency_key=f"other {number}"), Counter())
        second = threads.submit(once.run, REQUEST, slow)
        go.set()

        assert first.result(5) is second.result(5)
    assert len(runs) == 1
