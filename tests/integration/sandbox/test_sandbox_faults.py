"""Calls that are cancelled and containers that die: what the caller sees, and that nothing is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from statistics import median

import pytest

from tests.integration.sandbox.conftest import OpenPool, Start
from tests.integration.sandbox.helpers import FINE, KEY, SLEEP, call, eventually, exists, run
from toolwright.attacks.observer import Observer
from toolwright.domain.call import ExecutionRequest, Isolation, ToolCall
from toolwright.domain.isolation import IsolationPolicy
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Outcome, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import CallCancelled, SandboxUnavailable
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.memory import MemoryStore
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.pool import WarmPool

pytestmark = pytest.mark.integration

Send = Callable[[bytes, Callable[[], bool]], None]


def cancel_in_flight(switch: Cancellation, seconds: float, at: list[float]) -> None:
    """Cancel after so many seconds, and note when."""

    def cancel() -> None:
        at.append(time.monotonic())
        switch.cancel()

    timer = threading.Timer(seconds, cancel)
    timer.daemon = True
    timer.start()


def test_a_cancel_kills_the_whole_call_within_half_a_second(small_pool: OpenPool, observer: Observer) -> None:
    """Every process is dead when the caller hears of it; the same container serves the next call.

    What resists is in `tests/security/test_kill.py`.
    """
    pool, latencies = small_pool(), list[float]()
    for _ in range(5):
        switch, at = Cancellation(), list[float]()
        with pool.lease(KEY, timeout_s=30, cancellation=switch) as lease:
            cancel_in_flight(switch, 0.15, at)
            with pytest.raises(CallCancelled):
                lease.sandbox.run(call(SLEEP), switch)
            latencies.append(time.monotonic() - at[0])
            container = lease.sandbox.info.container_id
            assert len(observer.processes(container)) == 2, "more than the relay and the zygote"
        assert run(pool, call())[0] == container

    assert max(latencies) < 0.5, latencies
    assert median(latencies) < 0.25, latencies


@pytest.mark.parametrize("delay_s", [0.0, 0.0005, 0.001, 0.002, 0.004, 0.008])
def test_a_cancel_while_the_call_starts_is_not_lost(start: Start, delay_s: float) -> None:
    """The kill may come before the process bears its own user id: it is killed all the same, and at once."""
    sandbox = start()
    for _ in range(4):
        switch, at = Cancellation(), list[float]()
        channel, send = sandbox._channel, sandbox._channel.send

        def send_and_cancel(
            data: bytes,
            given_up: Callable[[], bool],
            send: Send = send,
            switch: Cancellation = switch,
            at: list[float] = at,
        ) -> None:
            send(data, given_up)
            cancel_in_flight(switch, delay_s, at)

        channel.send = send_and_cancel  # type: ignore[method-assign]  # so that the delay counts from the sending
        try:
            with pytest.raises(CallCancelled):
                sandbox.run(call(SLEEP, seconds=30), switch)
        finally:
            channel.send = send  # type: ignore[method-assign]  # as before
        assert time.monotonic() - at[0] < 0.5
        assert sandbox.usable
    assert sandbox.run(call(), Cancellation()).status is Status.SUCCESS


def test_the_time_limit_kills_the_whole_call(start: Start, observer: Observer) -> None:
    """The verdict comes by limit + 500 ms, and by then nothing of the call is left."""
    sandbox, over = start(), list[float]()
    for _ in range(5):
        begun = time.monotonic()
        outcome = sandbox.run(call(SLEEP, limits=Limits(wall_time_s=0.3)), Cancellation())
        over.append(time.monotonic() - begun - 0.3)
        assert outcome.status is Status.TIMEOUT
        assert len(observer.processes(sandbox.info.container_id)) == 2
        assert observer.scratch(sandbox.info.container_id) == []
    assert max(over) < 0.5, over
    assert median(over) < 0.3, over


def run_in_thread(pool: WarmPool, code: str) -> tuple[threading.Thread, list[tuple[float, Outcome]]]:
    """Run a call beside the test; its end and outcome come into the list."""
    ended: list[tuple[float, Outcome]] = []

    def go() -> None:
        _, outcome = run(pool, call(code, seconds=20))
        ended.append((time.monotonic(), outcome))

    thread = threading.Thread(target=go)
    thread.start()
    return thread, ended


def test_a_container_killed_in_a_call_is_our_fault(small_pool: OpenPool, engine: Engine) -> None:
    """INFRASTRUCTURE within a second; the pool is full again soon after, and the next call is fine."""
    pool = small_pool()
    victim, _ = run(pool, call())
    thread, ended = run_in_thread(pool, SLEEP)
    time.sleep(0.3)
    killed = time.monotonic()
    engine.client.api.kill(victim)
    thread.join(10)

    at, outcome = ended[0]
    assert outcome.status is Status.INFRASTRUCTURE
    assert at - killed < 1
    assert run(pool, call())[1].status is Status.SUCCESS
    eventually(lambda: pool.counts()["blank"] == 1)
    eventually(lambda: not exists(engine, victim))


def test_a_container_killed_while_idle_is_replaced_unseen(small_pool: OpenPool, engine: Engine) -> None:
    """Bound or blank: the next caller hears nothing of it."""
    pool = small_pool()
    victim, _ = run(pool, call())
    eventually(lambda: pool.counts()["blank"] == 1)
    blank = pool._state.stock.blank[0].info.container_id
    for one in (victim, blank):
        engine.client.api.kill(one)
        eventually(lambda one=one: not exists(engine, one))  # type: ignore[misc]  # binds now

    survivor, outcome = run(pool, call())

    assert outcome.status is Status.SUCCESS
    assert survivor not in {victim, blank}


def test_a_container_that_dies_at_the_lease_is_no_trouble_of_the_caller(small_pool: OpenPool, engine: Engine) -> None:
    """Killed between the look at it and the sending: the executor takes another one, and the tool runs once."""
    pool = small_pool(most=3)
    executor = SandboxExecutor(pool, MemoryStore(), Limits(), isolation=IsolationPolicy(Isolation.TENANT))
    victim, _ = run(pool, call())
    sandbox = pool._state.stock.bound[next(iter(pool._state.stock.bound))][0]
    run_it = sandbox.run

    def die_first(call: ToolCall, cancellation: Cancellation) -> Outcome:
        engine.client.api.kill(victim)
        eventually(lambda: not exists(engine, victim))
        return run_it(call, cancellation)

    sandbox.run = die_first  # type: ignore[method-assign]  # the moment cannot be met otherwise
    reply = executor.execute(ExecutionRequest(ToolSource(FINE, "f"), tenant="tests"))

    assert reply.outcome.status is Status.SUCCESS
    assert reply.provenance.container_id != victim


def test_a_container_whose_agent_is_frozen_ends_in_time(start: Start, engine: Engine) -> None:
    """Nothing answers any more: the verdict still comes, soon after the limit, and the container goes."""
    sandbox = start()
    engine.client.api.pause(sandbox.info.container_id)
    begun = time.monotonic()
    outcome = sandbox.run(call(limits=Limits(wall_time_s=0.3)), Cancellation())

    assert outcome.status is Status.TIMEOUT
    assert time.monotonic() - begun < 3
    assert not sandbox.usable
    sandbox.destroy()
    eventually(lambda: not exists(engine, sandbox.info.container_id))


@pytest.mark.parametrize("changes", [{"max_calls": 2}, {"max_age_s": 1.0}])
def test_a_container_retires(small_pool: OpenPool, engine: Engine, changes: dict[str, float]) -> None:
    """After so many calls or at such an age another one takes over, and it is removed."""
    pool = small_pool(**changes)
    first = [run(pool, call())[0] for _ in range(2)]
    time.sleep(1.05 if "max_age_s" in changes else 0)

    assert first[0] == first[1]
    later, outcome = run(pool, call())
    assert outcome.status is Status.SUCCESS
    assert later != first[0]
    eventually(lambda: not exists(engine, first[0]))


def test_a_closed_pool_leaves_no_container(small_pool: OpenPool, engine: Engine) -> None:
    """A call that runs ends as if its container had died; all containers are gone when `close` returns."""
    pool = small_pool(ready=2, most=4)
    used, _ = run(pool, call())
    thread, ended = run_in_thread(pool, SLEEP)
    time.sleep(0.2)
    ids = [used, *(one.info.container_id for one in pool._state.stock.blank)]
    pool.close()
    thread.join(5)

    assert ended[0][1].status is Status.INFRASTRUCTURE
    assert [one for one in ids if exists(engine, one)] == []
    with pytest.raises(SandboxUnavailable):
        run(pool, call())


def test_why_a_tool_failed_is_told_even_where_results_are_small(start: Start) -> None:
    """A limit of ten bytes on results does not cut the error to nothing."""
    outcome = start().run(
        call("def f():\n    raise ValueError('a long story ' * 100)", limits=Limits(result_bytes=10)), Cancellation()
    )

    assert outcome.status is Status.TOOL_ERROR
    assert outcome.failure is not None
    assert outcome.failure.message.startswith("a long story")
