"""Who gets on while another floods the pool: fake sandboxes whose calls and starts take as long as the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.unit.sandbox.fake_launcher import FakeLauncher, eventually
from toolwright.domain.call import Isolation
from toolwright.errors import Overloaded
from toolwright.sandbox.base import Cancellation, SandboxKey
from toolwright.sandbox.pool import PoolSize, WarmPool

pytestmark = pytest.mark.unit

CALL_S, START_S = 0.04, 0.05
FLOOD = 50
FLOODING, ANOTHER = SandboxKey("flooding", "sha256:a"), SandboxKey("another", "sha256:b")


@contextmanager
def opened(size: PoolSize, start_s: float = START_S) -> Iterator[WarmPool]:
    """Open a pool over a launcher that takes `start_s`."""
    pool = WarmPool(FakeLauncher(start_s=start_s, destroy_s=0.01), size)
    try:
        yield pool
    finally:
        pool.close()


def call(pool: WarmPool, key: SandboxKey, seconds: float = CALL_S) -> float:
    """Make one call; return how long it waited, in seconds."""
    with pool.lease(key, timeout_s=20, cancellation=Cancellation()) as lease:
        time.sleep(seconds)
        return (lease.queue_ms + lease.acquire_ms) / 1000


def retry_after_s(pool: WarmPool) -> float:
    """Make one call; return when it is to come again if it is refused, else 0."""
    try:
        call(pool, FLOODING, 0)
    except Overloaded as fault:
        return fault.retry_after_s
    return 0.0


@contextmanager
def flooded(pool: WarmPool, keys: list[SandboxKey], callers: int = FLOOD, *, fill: bool = True) -> Iterator[None]:
    """Keep so many callers of `keys` at it, who come again as soon as they are served; `fill`: until all is theirs."""
    over = threading.Event()

    def flood(key: SandboxKey) -> None:
        while not over.is_set():
            try:
                call(pool, key)
            except Overloaded:
                time.sleep(0.01)

    threads = [threading.Thread(target=flood, args=(keys[number % len(keys)],)) for number in range(callers)]
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(over.set)
        there = min(callers - pool.stats.places, pool._state.size.queue)
        assert eventually(lambda: pool.counts()["waiting"] >= there - 5)
        if fill:
            assert eventually(lambda: pool._state.stock.shares.total == pool.stats.places)
        yield


@pytest.mark.parametrize("isolation", [Isolation.TOOL, Isolation.CALL])
def test_one_at_a_time_waits_little_beside_a_flood(isolation: Isolation) -> None:
    """Fifty callers of one tenant hold all places: another's call gets the next place, and keeps it if it may."""
    mine, yours = (SandboxKey(key.tenant, key.tool_digest, isolation) for key in (FLOODING, ANOTHER))
    with opened(PoolSize(ready=0, most=4)) as pool, flooded(pool, [mine], fill=isolation is Isolation.TOOL):
        waited = [call(pool, yours) for _ in range(8)]
        alone = FLOOD / 4 * CALL_S

    # The end of a call, the removal and the start; and a queue of fifty would have been twelve calls' time.
    assert max(waited) < 3 * (CALL_S + START_S + 0.01) < alone
    if isolation is Isolation.TOOL:
        assert sorted(waited)[-2] < CALL_S, "its container was not left to it between two calls"


def test_one_tool_waits_little_beside_another_of_its_tenant() -> None:
    """Fair between keys as it is between tenants."""
    other = SandboxKey(FLOODING.tenant, "sha256:other")
    with opened(PoolSize(ready=0, most=4)) as pool, flooded(pool, [FLOODING]):
        waited = [call(pool, other) for _ in range(8)]

    assert max(waited) < 3 * (CALL_S + START_S + 0.01)
    assert sorted(waited)[-2] < CALL_S


def test_two_floods_share_the_places_evenly() -> None:
    """The second comes later, and holds half of the places soon after; then no container is removed any more."""
    with (
        opened(PoolSize(ready=0, most=6)) as pool,
        flooded(pool, [FLOODING], 20),
        flooded(pool, [ANOTHER], 20, fill=False),
    ):
        shares = pool._state.stock.shares
        assert eventually(lambda: shares.of_tenant("flooding") == shares.of_tenant("another") == 3)
        evicted, made = pool.stats.evicted, len(pool._launcher.made)  # type: ignore[attr-defined]  # the fake's
        time.sleep(0.5)
        assert (pool.stats.evicted, len(pool._launcher.made)) == (evicted, made)  # type: ignore[attr-defined]


def test_more_keys_than_places_take_turns() -> None:
    """Each is served, and containers serve for longer than they take to start."""
    keys = [SandboxKey("flooding", f"sha256:{number}") for number in range(6)]
    served = dict.fromkeys(keys, 0)
    with opened(PoolSize(ready=0, most=2)) as pool:
        until = time.monotonic() + 2.5

        def ask(key: SandboxKey) -> None:
            while time.monotonic() < until:
                call(pool, key, 0.002)
                served[key] += 1

        threads = [threading.Thread(target=ask, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made = len(pool._launcher.made)  # type: ignore[attr-defined]  # the fake's

    assert min(served.values()) > 0
    assert sum(served.values()) > 4 * made


def test_a_flood_does_not_fill_the_queue_for_others() -> None:
    """Into a full queue another tenant's call is let; the newest one of the flood is refused in its place."""
    with opened(PoolSize(ready=0, most=1, queue=8)) as pool, ExitStack() as stack:
        held = stack.enter_context(ExitStack())
        held.enter_context(pool.lease(FLOODING, timeout_s=5, cancellation=Cancellation()))
        refused: list[tuple[SandboxKey, float]] = []

        def ask(key: SandboxKey) -> None:
            try:
                call(pool, key, 0)
            except Overloaded as fault:
                refused.append((key, fault.retry_after_s))

        def send(key: SandboxKey, waiting: int) -> None:
            thread = threading.Thread(target=ask, args=(key,))
            thread.start()
            stack.callback(thread.join)
            assert eventually(lambda: pool.counts()["waiting"] == waiting)

        for number in range(8):
            send(FLOODING, number + 1)
        with pytest.raises(Overloaded):
            call(pool, FLOODING)
        send(ANOTHER, 8)
        assert eventually(lambda: len(refused) == 1)
        held.close()
    assert [key for key, _ in refused] == [FLOODING]
    assert refused[0][1] > 0


def test_a_short_calls_key_does_not_grow_beyond_what_it_needs() -> None:
    """Twelve callers whose calls take 2 ms share a few containers; when calls take long, they get more."""
    with opened(PoolSize(ready=0, most=8, cores=2, patience_s=0.05), start_s=0.01) as pool:
        call(pool, FLOODING, 0.002)
        threads = [threading.Thread(target=lambda: [call(pool, FLOODING, 0.002) for _ in range(60)]) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert pool._state.stock.shares.of_key(FLOODING) <= 4
        slow = [threading.Thread(target=call, args=(pool, FLOODING, 0.3)) for _ in range(8)]
        for thread in slow:
            thread.start()
        assert eventually(lambda: pool.counts()["leased"] == 8)
        for thread in slow:
            thread.join()


def test_who_waits_beside_a_blank_gets_it_when_leases_stop_ending() -> None:
    """One lease ends after the call began to wait, which puts off that its key's calls are seen to take long now."""
    size = PoolSize(ready=1, most=6, cores=2, patience_s=0.05)
    with opened(size, start_s=0.01) as pool, ExitStack() as held:
        for _ in range(3):
            call(pool, FLOODING, 0.001)
        for _ in range(2):
            held.enter_context(pool.lease(FLOODING, timeout_s=5, cancellation=Cancellation()))
        with pool._lock:
            pool._state.times.ended(FLOODING, 0.001, 1)
        assert eventually(lambda: pool.counts()["blank"])
        waiting = threading.Thread(target=call, args=(pool, FLOODING, 0))
        waiting.start()
        held.callback(waiting.join)
        time.sleep(0.15)
        with pool._lock:
            pool._state.times.ended(FLOODING, 0.001, 1)
        assert pool.counts()["waiting"] == 1
        waiting.join(1.0)
        assert not waiting.is_alive(), "it waits beside a blank"


@pytest.mark.parametrize("queue", [0, 1])
def test_who_cannot_wait_gets_a_blank(queue: int) -> None:
    """Though its key has as many containers as short calls need: no queue, or a full one, lets it wait for these."""
    size = PoolSize(ready=2, most=6, queue=queue, cores=2, patience_s=0.5)
    with opened(size, start_s=0.01) as pool, ExitStack() as held:
        for _ in range(2):
            assert eventually(lambda: pool.counts()["blank"] == 2)
            held.enter_context(pool.lease(FLOODING, timeout_s=5, cancellation=Cancellation()))
        with pool._lock:
            pool._state.times.ended(FLOODING, 0.001, 1)
        assert eventually(lambda: pool.counts()["blank"] == 2)
        for _ in range(queue):
            waiting = threading.Thread(target=call, args=(pool, FLOODING, 0))
            waiting.start()
            held.callback(waiting.join)
        assert eventually(lambda: pool.counts()["waiting"] == queue)
        call(pool, FLOODING, 0)


def test_where_nobody_can_wait_one_is_kept_ready() -> None:
    """Else nothing would ever be started, as calls that are refused ask for nothing."""
    with opened(PoolSize(ready=0, most=2, queue=0)) as pool:
        for key in (FLOODING, ANOTHER):
            assert eventually(lambda: pool.counts()["blank"] == 1)
            call(pool, key, 0)


def test_who_is_refused_is_told_the_queues_own_pace() -> None:
    """Of a queue of four, from which some twenty-five calls a second go, a fifth of a second; not a constant."""
    with opened(PoolSize(ready=0, most=1, queue=4)) as pool, ExitStack() as stack:
        call(pool, FLOODING, 0)
        stack.enter_context(flooded(pool, [FLOODING], 12))
        time.sleep(1.2)
        told = list(filter(None, (retry_after_s(pool) for _ in range(50))))

    assert told
    assert 0.05 < min(told) <= max(told) < 0.6
