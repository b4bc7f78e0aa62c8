"""What every pool and every sandbox promises, in a container or not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from tests.contract.sandbox.functions import SOURCES
from toolwright.domain.call import ToolCall
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Outcome, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import CallCancelled, Overloaded, SandboxUnavailable
from toolwright.sandbox.base import Cancellation, SandboxKey, SandboxPool

pytestmark = pytest.mark.contract

MINE, YOURS = SandboxKey("me", "sha256:a"), SandboxKey("you", "sha256:a")


def call(function: str, *, wall_time_s: float = 5.0, result_bytes: int = 10_000, **arguments: Any) -> ToolCall:
    """Return a call of one of the contract's functions."""
    source = ToolSource(SOURCES.get(function, "x = 1"), function)
    return ToolCall(source, json.dumps(arguments), Limits(wall_time_s=wall_time_s, result_bytes=result_bytes))


def run(pool: SandboxPool, what: ToolCall, key: SandboxKey = MINE, switch: Cancellation | None = None) -> Outcome:
    """Lease and run."""
    switch = switch or Cancellation()
    with pool.lease(key, timeout_s=20, cancellation=switch) as lease:
        return lease.sandbox.run(what, switch)


def container(pool: SandboxPool, key: SandboxKey) -> str:
    """Lease for a moment; return which one it was."""
    with pool.lease(key, timeout_s=20, cancellation=Cancellation()) as lease:
        return lease.sandbox.info.container_id


def later(seconds: float, act: Callable[[], None]) -> threading.Timer:
    """Do something after so many seconds."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer


def test_a_value_comes_back(pool: SandboxPool) -> None:
    """Arguments go in by name, defaults hold, the result is JSON."""
    outcome = run(pool, call("add", a=40))

    assert (outcome.status, outcome.result_json) == (Status.SUCCESS, "42")
    assert outcome.failure is None
    assert outcome.usage.wall_ms > 0


@pytest.mark.parametrize("value", [None, True, 0, -1, 2**80, 0.5, "ü\u0000\U0001f600", [], [[1]], {"a": {"": None}}])
def test_values_come_back_exactly(pool: SandboxPool, value: Any) -> None:
    """Every JSON value, to the last digit."""
    assert json.loads(run(pool, call("echo", value=value)).result_json or "") == value


def test_a_tool_that_raises(pool: SandboxPool) -> None:
    """Its type and message are told; the next call is fine."""
    failure = run(pool, call("fail")).failure

    assert failure is not None
    assert (failure.type, failure.message) == ("ValueError", "no such word")
    assert run(pool, call("fail")).status is Status.TOOL_ERROR
    assert run(pool, call("add", a=1)).status is Status.SUCCESS


def test_a_tool_that_does_not_end(pool: SandboxPool) -> None:
    """It is ended at its time limit, and the next call is fine."""
    begun = time.monotonic()
    outcome = run(pool, call("sleep", wall_time_s=0.3, seconds=30))

    assert outcome.status is Status.TIMEOUT
    assert 0.3 <= time.monotonic() - begun < 5
    assert run(pool, call("add", a=1)).status is Status.SUCCESS


def test_a_source_without_the_function(pool: SandboxPool) -> None:
    """A load error, with a message for whoever wrote it."""
    outcome = run(pool, call("nowhere"))

    assert outcome.status is Status.LOAD_ERROR
    assert outcome.failure is not None
    assert "nowhere" in outcome.failure.message


@pytest.mark.parametrize("function", ["make_set", "make_nan"])
def test_a_result_without_a_json_form(pool: SandboxPool, function: str) -> None:
    """Refused, never bent into something else."""
    assert run(pool, call(function)).status is Status.RESULT_INVALID


def test_a_result_beyond_its_limit(pool: SandboxPool) -> None:
    """At the limit it passes, one byte more does not."""
    assert run(pool, call("repeat", result_bytes=1_002, text="x", times=1_000)).status is Status.SUCCESS
    assert run(pool, call("repeat", result_bytes=1_001, text="x", times=1_000)).status is Status.RESULT_INVALID


def test_a_cancelled_call(pool: SandboxPool) -> None:
    """It ends soon after, with no outcome; the next call is fine."""
    switch = Cancellation()
    begun = time.monotonic()
    later(0.2, switch.cancel)
    with pytest.raises(CallCancelled):
        run(pool, call("sleep", seconds=30, wall_time_s=60), switch=switch)

    assert time.monotonic() - begun < 3
    assert run(pool, call("add", a=1)).status is Status.SUCCESS


def test_a_call_that_was_cancelled_before(pool: SandboxPool) -> None:
    """It never gets an outcome."""
    switch = Cancellation()
    switch.cancel()
    with pytest.raises(CallCancelled):
        run(pool, call("sleep", seconds=30, wall_time_s=60), switch=switch)


def test_a_sandbox_serves_one_key_for_life(pool: SandboxPool) -> None:
    """The same key finds its own again, another key never does."""
    mine, yours = container(pool, MINE), container(pool, YOURS)

    assert mine != yours
    assert [container(pool, key) for key in (MINE, YOURS, MINE)] == [mine, yours, mine]


def test_a_lease_says_what_it_is(pool: SandboxPool) -> None:
    """Image and runtime are the pool's, the container is its own; waiting is measured."""
    with pool.lease(MINE, timeout_s=20, cancellation=Cancellation()) as lease:
        info = lease.sandbox.info
        assert (info.image_digest, info.runtime) == (pool.info.image_digest, pool.info.runtime)
        assert info.container_id
        assert lease.queue_ms >= 0
        assert lease.acquire_ms > 0
    assert pool.info.container_id == ""
    assert pool.info.image_digest.startswith("sha256:")


def test_a_full_pool_says_so_in_time(make_pool: Callable[[int], SandboxPool]) -> None:
    """Nobody waits longer than they said; a place that comes free is used again."""
    pool = make_pool(1)
    with pool.lease(MINE, timeout_s=20, cancellation=Cancellation()):
        begun = time.monotonic()
        with pytest.raises(Overloaded) as refused, pool.lease(MINE, timeout_s=0.3, cancellation=Cancellation()):
            pytest.fail("two leases of one place")
        assert 0.3 <= time.monotonic() - begun < 2
        assert refused.value.retry_after_s > 0
    assert run(pool, call("add", a=1)).status is Status.SUCCESS


def test_waiting_ends_when_cancelled(make_pool: Callable[[int], SandboxPool]) -> None:
    """At once, and as cancelled, not as overloaded."""
    pool, switch = make_pool(1), Cancellation()
    with pool.lease(MINE, timeout_s=20, cancellation=Cancellation()):
        begun = time.monotonic()
        later(0.1, switch.cancel)
        with pytest.raises(CallCancelled), pool.lease(MINE, timeout_s=20, cancellation=switch):
            pytest.fail("two leases of one place")
        assert time.monotonic() - begun < 1


def test_waiting_ends_when_a_place_comes_free(make_pool: Callable[[int], SandboxPool]) -> None:
    """The next one gets it, and the wait is on its lease."""
    pool = make_pool(1)
    with ExitStack() as held:
        held.enter_context(pool.lease(MINE, timeout_s=20, cancellation=Cancellation()))
        later(0.2, held.close)
        with pool.lease(MINE, timeout_s=20, cancellation=Cancellation()) as lease:
            assert lease.queue_ms >= 150
            assert lease.acquire_ms < 100


def test_the_wait_is_split_without_a_rest(pool: SandboxPool) -> None:
    """Queueing and getting ready are together what the caller waited; a warm one took hardly any."""
    for warm in (False, True):
        begun = time.monotonic()
        with pool.lease(MINE, timeout_s=20, cancellation=Cancellation()) as lease:
            waited_ms = (time.monotonic() - begun) * 1000
            assert waited_ms - 20 < lease.queue_ms + lease.acquire_ms <= waited_ms
            assert not warm or lease.queue_ms + lease.acquire_ms < 20


def test_an_error_of_the_caller_gives_the_sandbox_back(make_pool: Callable[[int], SandboxPool]) -> None:
    """However the block ends, the place is free."""
    pool = make_pool(1)
    with pytest.raises(ZeroDivisionError), pool.lease(MINE, timeout_s=20, cancellation=Cancellation()):
        raise ZeroDivisionError
    assert run(pool, call("add", a=1)).status is Status.SUCCESS


def test_after_close_nothing_is_lent(pool: SandboxPool) -> None:
    """Closing twice is closing; nobody waits for what will not come."""
    assert run(pool, call("add", a=1)).status is Status.SUCCESS
    pool.close()
    pool.close()
    begun = time.monotonic()
    with pytest.raises(SandboxUnavailable), pool.lease(MINE, timeout_s=20, cancellation=Cancellation()):
        pytest.fail("lent by a closed pool")
    assert time.monotonic() - begun < 1
