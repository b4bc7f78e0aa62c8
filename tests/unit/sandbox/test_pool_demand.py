"""What a pool keeps ready, lets go, and does not start for want of memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import psutil
import pytest

from tests.unit.sandbox.fake_launcher import FakeLauncher, eventually
from toolwright.domain.call import Isolation
from toolwright.domain.limits import MIB
from toolwright.errors import InvalidInput, Overloaded, SandboxUnavailable
from toolwright.sandbox.base import Cancellation, SandboxKey
from toolwright.sandbox.budget import Budget, MemoryRules
from toolwright.sandbox.demand import MEMORY_S, Demand, Rate
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.lease_times import LeaseTimes
from toolwright.sandbox.pool import PoolSize, WarmPool

pytestmark = pytest.mark.unit

KEY, OTHER = SandboxKey("t", "sha256:a"), SandboxKey("t", "sha256:b")
BY_CALL = SandboxKey("t", "sha256:a", Isolation.CALL)


class Clock:
    """A clock that the test moves."""

    now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@contextmanager
def opened(size: PoolSize, budget: Budget | None = None, start_s: float = 0.0) -> Iterator[WarmPool]:
    """Open a pool over a fake launcher."""
    pool = WarmPool(FakeLauncher(start_s=start_s), size, budget)
    try:
        yield pool
    finally:
        pool.close()


def call(pool: WarmPool, key: SandboxKey = KEY, timeout_s: float = 5.0) -> float:
    """Make one call; return how long it waited, in seconds."""
    with pool.lease(key, timeout_s=timeout_s, cancellation=Cancellation()) as lease:
        return (lease.queue_ms + lease.acquire_ms) / 1000


def engine(address: str, **info: object) -> Engine:
    """Return an engine that says this of itself."""
    return Engine(address, None, "1", dict(info))  # type: ignore[arg-type]  # it is not spoken to


# --- demand ----------------------------------------------------------------------------------


def test_a_rate_follows_the_events_and_is_forgotten() -> None:
    """Four a second are seen as that, soon and later on; when they stop, nothing is left of them."""
    clock = Clock()
    rate = Rate(clock)
    assert (rate.known, rate.per_s) == (False, 0.0)
    for second in range(20):
        for _ in range(4):
            rate.add()
            clock.now += 0.25
        assert second == 0 or rate.per_s == pytest.approx(4, rel=0.15)
    clock.now += 8 * MEMORY_S
    assert not rate.known
    assert rate.per_s < 0.02


def test_more_is_kept_ready_as_calls_come_faster_and_starts_take_longer() -> None:
    """Arrivals × start time, and a margin; nothing once they stop."""
    clock = Clock()
    demand = Demand(clock)
    demand.started(0.5)
    assert demand.blanks == 0
    for _ in range(160):
        demand.arrivals.add()
        clock.now += 1 / 8
    assert demand.blanks == 6  # 4 are taken while one starts, give or take 2
    for _ in range(30):
        demand.started(1.0)
    assert demand.blanks == 11
    clock.now += 8 * MEMORY_S
    assert demand.blanks == 0


def test_blanks_are_there_before_a_steady_stream_of_calls() -> None:
    """Some twenty calls a second, each with a container of its own that takes 0.15 s to start: few wait."""
    with opened(PoolSize(ready=1, most=16, starting=8), start_s=0.15) as pool, ThreadPoolExecutor(16) as threads:
        asked = []
        for _ in range(50):
            asked.append(threads.submit(call, pool, BY_CALL))
            time.sleep(0.05)
        waited = [one.result() for one in asked]
        stats = pool.stats

    assert stats.wanted >= 3
    assert stats.arrivals_per_s == pytest.approx(20, rel=0.5)
    assert sum(seconds < 0.02 for seconds in waited[25:]) >= 20
    assert (stats.blank_hits + stats.waited, stats.idle_hits) == (50, 0)


def test_a_demand_evicts_nothing_that_is_warm() -> None:
    """More than `ready` are kept in free places only."""
    with opened(PoolSize(ready=1, most=4, rest_s=0.01), start_s=0.1) as pool:
        for number in range(3):
            call(pool, SandboxKey("t", str(number)))
        demand = pool._state.demand
        for _ in range(100):
            demand.arrivals.add()
        assert pool.stats.wanted == 4
        time.sleep(0.3)
        assert (pool.stats.blank, pool.stats.idle, pool.stats.evicted) == (1, 3, 0)


# --- idle time -------------------------------------------------------------------------------


def test_what_nobody_uses_is_removed_but_for_the_minimum() -> None:
    """Bound ones, and blank ones that a demand had left."""
    with opened(PoolSize(ready=1, most=8, idle_s=0.3)) as pool:
        state = pool._state
        for number in range(3):
            call(pool, SandboxKey("t", str(number)))
        with pool._lock:
            state.demand.start_s, state.due = 2.0, True
        call(pool, OTHER)
        assert eventually(lambda: pool.stats.blank > 1)
        with pool._lock:
            state.demand.start_s = 0.0
        assert eventually(lambda: (pool.stats.blank, pool.stats.idle) == (1, 0))
        assert pool.stats.expired >= 5
        time.sleep(0.4)
        assert pool.stats.blank == 1


def test_what_is_used_is_not_removed() -> None:
    """Its idle time begins anew with each call."""
    with opened(PoolSize(ready=0, most=2, idle_s=0.3)) as pool:
        for _ in range(10):
            call(pool)
            time.sleep(0.06)
        assert pool.stats.expired == 0
        assert pool.stats.idle_hits == 9


# --- memory ----------------------------------------------------------------------------------


def test_memory_bounds_the_containers_and_the_refusal_says_so() -> None:
    """Three fit, though eight were allowed."""
    budget = Budget(100, 400, MemoryRules(0.8, 0))
    with opened(PoolSize(ready=0, most=8, queue=0), budget, start_s=0.3) as pool:
        assert (pool.stats.places, pool.stats.bound_by) == (3, "memory")
        with pytest.raises(Overloaded, match=r"Memory, and not sandbox.pool.max_containers, allows no more than 3"):
            call(pool)
    with opened(PoolSize(most=3), budget) as pool:
        assert (pool.stats.places, pool.stats.bound_by) == (3, "max_containers")


def test_none_is_started_while_memory_is_short() -> None:
    """What is there serves on; a new key waits in vain, and is told why; it goes on by itself."""
    available = [1_000 * MIB]
    budget = Budget(MIB, 10_000 * MIB, MemoryRules(0.8, 256 * MIB), lambda: available[0])
    with opened(PoolSize(ready=0, most=4), budget) as pool:
        call(pool)
        available[0] = 100 * MIB
        with (
            pool.lease(KEY, timeout_s=1, cancellation=Cancellation()),
            pytest.raises(Overloaded, match="short of memory"),
        ):
            call(pool, OTHER, 0.2)
        assert call(pool) < 0.1
        assert "100 MiB" in pool.stats.shortage
        time.sleep(1.1)
        with pytest.raises(SandboxUnavailable, match=r"sandbox\.pool\.memory_reserve_bytes \(256 MiB\)"):
            call(pool, OTHER, 0.2)
        available[0] = 300 * MIB
        assert eventually(lambda: pool.stats.shortage == ""), "nobody has to ask for it"
        assert call(pool, OTHER) < 0.1


def test_memory_that_cannot_be_read_does_not_end_the_refiller() -> None:
    """Nothing is started until it can be; then the call that waits is served, and the pool closes at once."""
    faults = [OSError(24, "Too many open files")]

    def available() -> int:
        if faults:
            raise faults.pop()
        return 1_000 * MIB

    with opened(PoolSize(ready=0, most=2), Budget(MIB, 10 * MIB, available_bytes=available)) as pool:
        assert call(pool) < 3
        assert (faults, pool.trouble) == ([], "")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_pool_that_nobody_looks_after_says_so() -> None:
    """Its thread ended, by what nothing can go on after."""

    def available() -> int:
        raise SystemExit

    with opened(PoolSize(ready=1), Budget(MIB, 10 * MIB, available_bytes=available)) as pool:
        assert eventually(lambda: "restart" in pool.trouble)
    assert pool.trouble == ""


def test_an_idle_one_makes_room_for_who_waits_while_memory_is_short() -> None:
    """One goes, though places are free: it is what holds the memory. As that is enough, no further one goes."""
    launcher = FakeLauncher()

    def available() -> int:
        return (1_000 if launcher.living < 3 else 100) * MIB

    budget = Budget(MIB, 10_000 * MIB, MemoryRules(0.8, 256 * MIB), available)
    pool = WarmPool(launcher, PoolSize(ready=0, most=8), budget)
    try:
        with ExitStack() as held:
            for _ in range(3):
                held.enter_context(pool.lease(KEY, timeout_s=5, cancellation=Cancellation()))
        assert call(pool, OTHER, 2) < 1
        assert (pool.stats.evicted, pool.stats.idle) == (1, 3)
    finally:
        pool.close()


def test_not_one_that_fits_is_an_error_at_start() -> None:
    """With the setting, its value and what would be allowed."""
    with pytest.raises(InvalidInput) as refused:
        Budget.of(engine("tcp://there:2375", MemTotal=1_000), 900, MemoryRules(0.8))
    assert refused.value.field == "sandbox.limits.memory_bytes"
    assert "is 900" in str(refused.value)
    assert "memory_share (0.8)" in str(refused.value)
    assert refused.value.limit == "at most 800 here"
    Budget.of(engine("tcp://there:2375", MemTotal=1_000), 800, MemoryRules(0.8))


def test_whose_memory_it_is() -> None:
    """The machine's for a local engine, or what it was given of that; a far engine's own; none if it does not tell."""
    here = psutil.virtual_memory().total
    local = Budget.of(engine("unix:///run/docker.sock", MemTotal=10 * here), MIB, MemoryRules())
    assert local.total_bytes == here
    assert 0 < (local.available_bytes() or 0) < here
    assert replace(local, rules=MemoryRules(reserve_bytes=10 * here)).shortage
    assert not local.shortage
    assert Budget.of(engine("unix:///run/docker.sock", MemTotal=8 * MIB), MIB, MemoryRules()).places == 6
    far = Budget.of(engine("tcp://there:2375", MemTotal=10 * MIB), MIB, MemoryRules(reserve_bytes=2**60))
    assert (far.places, far.shortage) == (8, "")
    assert Budget.of(engine("tcp://there:2375", MemTotal="x"), MIB, MemoryRules()).places is None


# --- patience --------------------------------------------------------------------------------


def test_who_needs_a_place_more() -> None:
    """Unknown times: all. Short ones: as many as keep the wait short. One that lasts: all again."""
    times = LeaseTimes(0.05, 2)
    now = time.monotonic()
    assert times.lack(KEY, 0, 5, now) == 5
    assert times.lack(KEY, 1, 5, now) == 5
    times.ended(KEY, 0.015, 1)
    assert times.lack(KEY, 1, 5, now) == 1
    assert times.lack(KEY, 2, 5, now) == 0
    assert times.lack(KEY, 2, 15, now) == 3
    assert times.lack(KEY, 0, 15, now) == 15
    time.sleep(0.27)
    assert times.lack(KEY, 2, 15, time.monotonic()) == 3
    assert times.lack(KEY, 2, 15, now) == 15
    times.ended(KEY, 10, 1)
    assert times.lack(KEY, 2, 15, now) == 15


def test_what_is_slow_for_want_of_cores_needs_no_more_places() -> None:
    """Eight at once on two cores take four times as long each; eight that sleep get a place each all the same."""
    times = LeaseTimes(0.05, 2)
    times.ended(KEY, 0.06, 8)
    assert times.lack(KEY, 3, 8, time.monotonic()) == 0
    times.ended(OTHER, 1.0, 8)
    assert times.lack(OTHER, 3, 8, time.monotonic()) == 8
