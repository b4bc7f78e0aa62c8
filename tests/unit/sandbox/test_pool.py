"""The warm pool over fake sandboxes: who gets which, who waits, who is refused, and what is left at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import pytest

from tests.unit.sandbox.fake_launcher import FakeLauncher, FakeSandbox, eventually, refusal
from toolwright.domain.call import Isolation
from toolwright.errors import CallCancelled, ImageMissing, InvalidInput, Overloaded, SandboxUnavailable
from toolwright.sandbox.base import Cancellation, SandboxKey
from toolwright.sandbox.pool import PoolSize, WarmPool

pytestmark = pytest.mark.unit

A, B, C = (SandboxKey("tenant", f"sha256:{letter}") for letter in "abc")
A_CALL, B_CALL, C_CALL = (SandboxKey.of(Isolation.CALL, "tenant", f"sha256:{letter}") for letter in "abc")
MakePool = Callable[..., tuple[WarmPool, FakeLauncher]]


@pytest.fixture
def make_pool() -> Iterator[MakePool]:
    """Make a pool over a fake launcher; keywords are its size and the launcher's ways."""
    with ExitStack() as opened:

        def make(*, launcher: FakeLauncher | None = None, **size: Any) -> tuple[WarmPool, FakeLauncher]:
            starter = launcher or FakeLauncher()
            pool = WarmPool(starter, PoolSize(**size))
            opened.callback(pool.close)
            return pool, starter

        yield make


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Callers."""
    with ThreadPoolExecutor(32) as workers:
        yield workers


@contextmanager
def lent(
    pool: WarmPool, key: SandboxKey = A, timeout_s: float = 2.0, cancellation: Cancellation | None = None
) -> Iterator[FakeSandbox]:
    """Lease, and note in the fake who uses it."""
    with pool.lease(key, timeout_s=timeout_s, cancellation=cancellation or Cancellation()) as lease:
        sandbox = cast("FakeSandbox", lease.sandbox)
        with sandbox.launcher.lock:
            sandbox.served.add(key)
            sandbox.uses += 1
            sandbox.users += 1
            sandbox.most_users = max(sandbox.most_users, sandbox.users)
        try:
            yield sandbox
        finally:
            with sandbox.launcher.lock:
                sandbox.users -= 1


@contextmanager
def no_threads() -> Iterator[None]:
    """Let no thread be started: none is given a stack of the whole address space."""
    threading.stack_size(1 << 47)
    try:
        yield
    finally:
        threading.stack_size(0)


def took(pool: WarmPool, key: SandboxKey) -> tuple[float, float]:
    """Lease for a moment; return how long it queued and how long it was got ready, in milliseconds."""
    with pool.lease(key, timeout_s=5, cancellation=Cancellation()) as lease:
        return lease.queue_ms, lease.acquire_ms


def name(pool: WarmPool, key: SandboxKey = A, **ways: Any) -> str:
    """Lease for a moment; return which one it was."""
    with lent(pool, key, **ways) as sandbox:
        return sandbox.info.container_id


def waiting(pool: WarmPool, count: int) -> bool:
    """Whether so many calls come to wait."""
    return eventually(lambda: pool.counts()["waiting"] == count)


# --- filling ---------------------------------------------------------------------------------


def test_it_fills_to_what_is_to_be_ready(make_pool: MakePool) -> None:
    """Blank ones are there before anyone asks, and no more than that."""
    pool, launcher = make_pool(ready=3, most=8)

    assert eventually(lambda: pool.counts()["blank"] == 3)
    time.sleep(0.05)
    assert (launcher.living, pool.counts()["starting"]) == (3, 0)


def test_what_is_ready_is_bounded_by_what_there_may_be(make_pool: MakePool) -> None:
    """`most` is the last word."""
    pool, launcher = make_pool(ready=9, most=2)

    assert eventually(lambda: pool.counts()["blank"] == 2)
    time.sleep(0.05)
    assert launcher.most_living == 2


def test_only_a_few_start_at_once(make_pool: MakePool) -> None:
    """More at a time only makes each slower."""
    launcher = FakeLauncher(start_s=0.05)
    pool, _ = make_pool(ready=6, most=6, starting=2, launcher=launcher)
    seen = []
    while pool.counts()["blank"] < 6:
        seen.append(pool.counts()["starting"])
        time.sleep(0.005)

    assert max(seen) == 2


def test_a_blank_one_that_was_used_is_replaced(make_pool: MakePool) -> None:
    """The next new key finds one ready again."""
    pool, _ = make_pool(ready=2, most=4)
    with lent(pool):
        assert eventually(lambda: pool.counts()["blank"] == 2)


def test_counts_and_info_say_what_there_is(make_pool: MakePool) -> None:
    """What the metrics show."""
    pool, _ = make_pool(ready=1, most=2)
    with lent(pool, A):
        assert eventually(lambda: pool.counts()["blank"] == 1)
        assert pool.counts() == {"blank": 1, "idle": 0, "leased": 1, "starting": 0, "waiting": 0}
    assert pool.counts()["idle"] == 1
    assert pool.info.runtime == "fake"


# --- one key for life ------------------------------------------------------------------------


def test_a_key_finds_its_own_again(make_pool: MakePool) -> None:
    """Warm means the same container."""
    pool, _ = make_pool()

    assert name(pool, A) == name(pool, A)


def test_two_keys_never_meet(make_pool: MakePool) -> None:
    """Neither tool nor tenant shares with another under isolation by tool."""
    pool, launcher = make_pool(most=8)
    other = SandboxKey("someone else", A.tool_digest)

    assert len({name(pool, key) for key in (A, B, other, A, B, other)}) == 3
    assert all(len(sandbox.served) <= 1 for sandbox in launcher.made)


def test_tools_of_a_tenant_share_where_that_is_the_level(make_pool: MakePool) -> None:
    """By tenant: one container for both tools, another for the other tenant."""
    pool, _ = make_pool(most=4)
    mine, also_mine = (SandboxKey.of(Isolation.TENANT, "tenant", f"sha256:{tool}") for tool in "ab")
    yours = SandboxKey.of(Isolation.TENANT, "someone else", "sha256:a")

    assert name(pool, mine) == name(pool, also_mine) != name(pool, yours)


def test_each_call_gets_a_new_one_where_that_is_the_level(make_pool: MakePool) -> None:
    """By call: destroyed after its only use."""
    pool, launcher = make_pool(ready=2, most=4)

    assert len({name(pool, A_CALL) for _ in range(6)}) == 6
    assert eventually(lambda: launcher.living == 2)


def test_one_for_a_single_call_is_started_ahead(make_pool: MakePool) -> None:
    """While such a call runs, the next one's is being started; a caller in no hurry never waits for a start."""
    pool, launcher = make_pool(launcher=FakeLauncher(start_s=0.1), ready=1, most=3)
    for _ in range(4):
        assert eventually(lambda: pool.counts()["blank"] == 1)
        with pool.lease(A_CALL, timeout_s=5, cancellation=Cancellation()) as lease:
            assert lease.queue_ms + lease.acquire_ms < 50
            assert eventually(lambda: pool.counts()["blank"] == 1)
    assert eventually(lambda: launcher.living == 1)


def test_levels_share_the_places_and_never_a_sandbox(make_pool: MakePool) -> None:
    """One pool serves all three; what a tenant shares is not lent for a tool of its own, nor the other way round."""
    pool, launcher = make_pool(ready=1, most=6)
    levels = [SandboxKey.of(level, "tenant", "sha256:a") for level in Isolation]
    seen: dict[SandboxKey, list[str]] = {level: [name(pool, level) for _ in range(3)] for level in levels}
    again: dict[SandboxKey, list[str]] = {level: [name(pool, level) for _ in range(3)] for level in reversed(levels)}
    call, tool, tenant = ({*seen[level], *again[level]} for level in levels)

    assert (len(call), len(tool), len(tenant)) == (6, 1, 1)
    assert len(call | tool | tenant) == 8
    assert all(len(sandbox.served) <= 1 for sandbox in launcher.made)
    assert launcher.most_living <= 6


def test_a_replica_is_another_sandbox_at_every_level() -> None:
    """Verification runs a tool again elsewhere, also where a tenant's tools share."""
    for level in Isolation:
        assert SandboxKey.of(level, "t", "sha256:a") != SandboxKey.of(level, "t", "sha256:a", 1)


def test_two_calls_of_a_key_at_once_get_two(make_pool: MakePool) -> None:
    """One call at a time per container."""
    pool, _ = make_pool()
    with lent(pool) as first, lent(pool) as second:
        assert first is not second


def test_the_most_recently_used_of_a_key_comes_first(make_pool: MakePool) -> None:
    """Few warm ones are better than many that cool down."""
    pool, _ = make_pool()
    with lent(pool) as first, lent(pool) as second:
        pass
    with lent(pool) as again:
        assert again is first
        assert again is not second


# --- room ------------------------------------------------------------------------------------


def test_the_key_least_recently_used_makes_room(make_pool: MakePool) -> None:
    """With all places taken by idle ones, the oldest key's goes."""
    pool, launcher = make_pool(ready=0, most=2)
    first, second = name(pool, A), name(pool, B)
    assert name(pool, A) == first

    third = name(pool, C)

    assert third not in {first, second}
    assert name(pool, A) == first
    assert [one.info.container_id for one in launcher.made if one.destroyed] == [second]
    assert launcher.most_living == 2


def test_a_leased_one_is_never_evicted(make_pool: MakePool) -> None:
    """Nobody's call is ended for another's."""
    pool, launcher = make_pool(ready=0, most=1)
    with lent(pool, A) as mine, pytest.raises(Overloaded):
        name(pool, B, timeout_s=0.1)
    assert (mine.destroyed, launcher.most_living) == (0, 1)


def test_a_place_that_comes_free_goes_to_who_waits(make_pool: MakePool, threads: ThreadPoolExecutor) -> None:
    """Another key's container is replaced, one's own is handed over."""
    pool, launcher = make_pool(ready=0, most=1)
    for key in (B, A):
        with lent(pool, A):
            later = threads.submit(name, pool, key)
            assert waiting(pool, 1)
        assert later.result(3)
    assert launcher.most_living == 1


def test_who_waits_longest_is_served_first(make_pool: MakePool, threads: ThreadPoolExecutor) -> None:
    """In the order of asking, whatever the key."""
    pool, _ = make_pool(ready=0, most=1)
    order: list[str] = []

    def ask(key: SandboxKey) -> None:
        with lent(pool, key):
            order.append(key.tool_digest)

    with lent(pool):
        asked = []
        for count, key in enumerate((A_CALL, B_CALL, C_CALL), 1):
            asked.append(threads.submit(ask, key))
            assert waiting(pool, count)
    for one in asked:
        one.result(3)
    assert order == [A.tool_digest, B.tool_digest, C.tool_digest]


# --- room ahead of demand --------------------------------------------------------------------


def keys(count: int) -> list[SandboxKey]:
    """Return so many keys."""
    return [SandboxKey("tenant", f"sha256:{number}") for number in range(count)]


@pytest.mark.parametrize(("ready", "most"), [(1, 2), (1, 4), (2, 4), (4, 4), (9, 3)])
def test_every_new_key_finds_a_blank(make_pool: MakePool, ready: int, most: int) -> None:
    """However many keys come, one after another: room is made before the next one asks."""
    launcher = FakeLauncher(start_s=0.02, destroy_s=0.02)
    pool, _ = make_pool(ready=ready, most=most, rest_s=0.01, launcher=launcher)
    for key in keys(3 * most):
        assert eventually(lambda: pool.counts()["blank"] >= min(ready, most - 1))
        with pool._lock:
            there = {one.info.container_id for one in pool._state.stock.blank}
        assert name(pool, key) in there
    assert launcher.most_living <= most


@pytest.mark.parametrize(
    ("ready", "most", "blank"), [(1, 1, 0), (9, 1, 0), (1, 2, 1), (2, 2, 1), (9, 3, 2), (0, 3, 0), (1, 8, 1), (3, 8, 3)]
)
def test_keys_hold_what_blanks_leave(make_pool: MakePool, ready: int, most: int, blank: int) -> None:
    """At rest: the blanks asked for, everything else belongs to the last keys, and that is one place at least."""
    pool, launcher = make_pool(ready=ready, most=most, rest_s=0.01)
    for key in (used := keys(most + 2)):
        name(pool, key)
        assert eventually(lambda: (pool.counts()["blank"], pool.counts()["starting"]) == (blank, 0))
    time.sleep(0.1)

    assert (pool.counts()["blank"], pool.counts()["idle"]) == (blank, most - blank)
    assert list(pool._state.stock.bound) == used[2 + blank :]
    assert launcher.most_living <= most


@pytest.mark.parametrize(("ready", "most"), [(0, 1), (1, 1), (1, 2), (1, 4), (2, 4), (1, 8)])
def test_a_steady_set_of_keys_stays(make_pool: MakePool, ready: int, most: int) -> None:
    """As many keys as have room beside the blanks are never evicted, however rarely they are called."""
    pool, launcher = make_pool(ready=ready, most=most, rest_s=0.001)
    steady = keys(max(1, most - ready))
    first = [name(pool, key) for key in steady]
    for _ in range(5):
        time.sleep(0.02)
        assert [name(pool, key) for key in steady] == first
    assert not [one for one in launcher.made if one.destroyed]


def test_the_one_used_least_recently_goes_ahead_of_demand(make_pool: MakePool) -> None:
    """Of all that are idle: a key's spare one, left over from a burst, is older than what others use."""
    pool, _ = make_pool(ready=1, most=4, rest_s=0.05)
    with lent(pool, A), lent(pool, A) as spare:
        pass
    kept = [name(pool, B), name(pool, A)]
    assert eventually(lambda: pool.counts()["blank"] == 1)
    kept.append(name(pool, C))

    assert eventually(lambda: spare.destroyed)
    assert eventually(lambda: pool.counts()["blank"] == 1)
    assert [name(pool, key) for key in (B, A, C)] == kept


def test_what_is_in_use_makes_no_room_ahead_of_demand(make_pool: MakePool) -> None:
    """As many keys as places, called again and again: none is started anew for a key that may never come."""
    pool, launcher = make_pool(ready=1, most=3, rest_s=0.5)
    begun = time.monotonic()
    first = [name(pool, key) for key in (A, B, C)]
    while time.monotonic() < begun + 1:
        assert [name(pool, key) for key in (A, B, C)] == first
    assert not [one for one in launcher.made if one.destroyed]
    assert eventually(lambda: pool.counts()["blank"] == 1), "once they rest, room is made"


def test_a_key_that_waits_has_room_made_at_once(make_pool: MakePool) -> None:
    """For a call that is there, even what was just used is let go."""
    pool, _ = make_pool(ready=1, most=2, rest_s=60)
    for key in (A, B):
        name(pool, key)

    assert sum(took(pool, C)) < 1_000


def test_leased_ones_make_no_room(make_pool: MakePool) -> None:
    """Ahead of demand neither: only what is idle may go, and it does once it has rested."""
    pool, launcher = make_pool(ready=1, most=2, rest_s=0.01)
    with lent(pool, A) as mine:
        with lent(pool, B) as other:
            time.sleep(0.1)
            assert (pool.counts()["leased"], launcher.living) == (2, 2)
        assert eventually(lambda: pool.counts()["blank"] == 1)
        assert (mine.destroyed, other.destroyed) == (0, 1)


def test_starts_that_fail_cost_one_warm_one_at_most(make_pool: MakePool, threads: ThreadPoolExecutor) -> None:
    """One place is enough to find out whether they work again; the other keys are served on."""
    pool, launcher = make_pool(ready=0, most=4, launcher=FakeLauncher(start_s=0.1))
    used = keys(8)
    warm = [name(pool, key) for key in used[:4]]
    launcher.fault = refusal()
    with pytest.raises(SandboxUnavailable):
        name(pool, used[4])
    time.sleep(0.3)  # the next start is due
    for one in [threads.submit(name, pool, key) for key in used[5:]]:
        assert isinstance(one.exception(5), SandboxUnavailable)

    assert len(launcher.started_at) == 6
    assert [name(pool, key) for key in used[1:4]] == warm[1:]


# --- what is measured ------------------------------------------------------------------------


def test_a_warm_one_takes_no_time(make_pool: MakePool) -> None:
    """Neither a blank one nor one's own."""
    pool, _ = make_pool(ready=1, most=2)
    assert eventually(lambda: pool.counts()["blank"] == 1)

    for queue_ms, acquire_ms in (took(pool, A), took(pool, A)):
        assert queue_ms == 0
        assert 0 < acquire_ms < 100


def test_a_cold_start_is_getting_ready(make_pool: MakePool) -> None:
    """There was a place: nobody queued."""
    pool, _ = make_pool(ready=0, most=2, launcher=FakeLauncher(start_s=0.15))

    queue_ms, acquire_ms = took(pool, A)

    assert queue_ms < 50
    assert 140 < acquire_ms < 1_000


def test_a_start_that_was_under_way_counts_from_the_asking(make_pool: MakePool) -> None:
    """No call waits longer than it is there."""
    pool, _ = make_pool(ready=1, most=2, launcher=FakeLauncher(start_s=0.4))
    time.sleep(0.15)

    queue_ms, acquire_ms = took(pool, A)

    assert queue_ms == 0
    assert 100 < acquire_ms < 350


def test_a_full_pool_is_queueing(make_pool: MakePool, threads: ThreadPoolExecutor) -> None:
    """Until a place is free, the removal of another's container included; its own start is not."""
    pool, _ = make_pool(ready=0, most=1, launcher=FakeLauncher(start_s=0.1, destroy_s=0.1))
    with lent(pool, A):
        later = threads.submit(took, pool, B)
        assert waiting(pool, 1)
        time.sleep(0.1)
    queue_ms, acquire_ms = later.result(3)

    assert 190 < queue_ms < 1_000
    assert 90 < acquire_ms < 190


def test_waiting_for_ones_own_is_queueing(make_pool: MakePool, threads: ThreadPoolExecutor) -> None:
    """What comes back warm needs no getting ready."""
    pool, _ = make_pool(ready=0, most=1)
    with lent(pool, A):
        later = threads.submit(took, pool, A)
        assert waiting(pool, 1)
        time.sleep(0.15)
    queue_ms, acquire_ms = later.result(3)

    assert queue_ms > 140
    assert acquire_ms < 50


def test_waiting_for_ones_turn_to_start_is_queueing(make_pool: MakePool, threads: ThreadPoolExecutor) -> None:
    """Only so many start at once; getting ready begins with one's own start."""
    pool, _ = make_pool(ready=0, most=2, starting=1, launcher=FakeLauncher(start_s=0.15))
    measured = sorted(one.result(3) for one in [threads.submit(took, pool, key) for key in (A, B)])

    assert measured[0][0] < 50
    assert measured[1][0] > 100
    assert all(100 < acquire_ms < 290 for _, acquire_ms in measured)


# --- refusal ---------------------------------------------------------------------------------


def test_a_full_queue_refuses_at_once(make_pool: MakePool, threads: ThreadPoolExecutor) -> None:
    """One more than may wait is told when to come again, and does not wait for it."""
    pool, _ = make_pool(ready=0, most=1, queue=2)
    with lent(pool, A):
        asked = [threads.submit(name, pool, B) for _ in range(2)]
        assert waiting(pool, 2)
        begun = time.monotonic()
        with pytest.raises(Overloaded, match="2 calls wait") as refused:
            name(pool, B)
        assert time.monotonic() - begun < 1
        assert refused.value.retry_after_s > 0
    assert all(one.result(3) for one in asked)


def test_waiting_ends_in_time(make_pool: MakePool) -> None:
    """Nobody waits longer than was said, and the queue forgets who left."""
    pool, _ = make_pool(ready=0, most=1)
    with lent(pool, A):
        begun = time.monotonic()
        with pytest.raises(Overloaded):
            name(pool, B, timeout_s=0.15)
        assert 0.15 <= time.monotonic() - begun < 1
        assert pool.counts()["waiting"] == 0


class Counted(Cancellation):
    """Knows how many there are to be told."""

    told = 0

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """See `Cancellation.on_cancel`."""
        self.told += 1
        super().on_cancel(callback)

    def forget(self, callback: Callable[[], None]) -> None:
        """See `Cancellation.forget`."""
        self.told -= 1
        super().forget(callback)


def test_a_wait_that_ended_leaves_nothing_with_its_switch(make_pool: MakePool) -> None:
    """A call of a batch asks again and again, for as long as the batch may take, and is cancelled by the same one."""
    pool, _ = make_pool(ready=0, most=1)
    switch = Counted()
    with lent(pool, A):
        for _ in range(3):
            with pytest.raises(Overloaded):
                name(pool, B, timeout_s=0.02, cancellation=switch)
    name(pool, B, cancellation=switch)
    assert switch.told == 0


def test_a_cancel_ends_the_wait(make_pool: MakePool, threads: ThreadPoolExecutor) -> None:
    """At once, and the next one in the queue moves up."""
    pool, _ = make_pool(ready=0, most=1)
    switch = Cancellation()
    with lent(pool, A):
        asked = threads.submit(name, pool, B, cancellation=switch)
        assert waiting(pool, 1)
        switch.cancel()
        with pytest.raises(CallCancelled):
            asked.result(1)
        assert pool.counts()["waiting"] == 0


def test_who_was_cancelled_before_does_not_wait(make_pool: MakePool) -> None:
    """The switch may be thrown before the queue is joined."""
    pool, _ = make_pool(ready=0, most=1)
    switch = Cancellation()
    switch.cancel()
    with lent(pool, A), pytest.raises(CallCancelled):
        name(pool, B, cancellation=switch)


# --- starts that fail -------------------------------------------------------------------------


def test_a_failed_start_is_told_to_who_waits(make_pool: MakePool) -> None:
    """The very error of the start, at once, and not "overloaded" after the whole wait."""
    pool, launcher = make_pool(ready=0, most=2, launcher=FakeLauncher(fault=ImageMissing("build it")))
    begun = time.monotonic()
    with pytest.raises(ImageMissing, match="build it"):
        name(pool)
    assert time.monotonic() - begun < 1
    assert launcher.living == 0


def test_a_bug_in_starting_is_told_as_well(make_pool: MakePool) -> None:
    """No exception of any kind stops the refiller for ever."""
    pool, launcher = make_pool(ready=1, launcher=FakeLauncher(fault=ZeroDivisionError("a bug")))
    with pytest.raises(SandboxUnavailable, match="a bug"):
        name(pool)
    launcher.fault = None
    assert eventually(lambda: pool.counts()["blank"] == 1)


def test_starts_that_fail_are_put_off_longer_and_longer(make_pool: MakePool) -> None:
    """A broken engine is not hammered: the pauses double."""
    pool, launcher = make_pool(ready=1, starting=1, launcher=FakeLauncher(fault=refusal()))
    assert eventually(lambda: len(launcher.started_at) == 3)

    first, second, third = launcher.started_at
    assert 0.24 < second - first < third - second
    assert third - second > 0.49
    assert eventually(lambda: pool.counts()["starting"] == 0)


def test_it_recovers_by_itself(make_pool: MakePool) -> None:
    """Once starts work again, it fills; nobody has to restart the server."""
    pool, launcher = make_pool(ready=2, launcher=FakeLauncher(fault=refusal()))
    with pytest.raises(SandboxUnavailable):
        name(pool)
    launcher.fault = None

    assert eventually(lambda: pool.counts()["blank"] == 2)
    assert name(pool)


def test_an_old_failure_is_not_told_once_a_new_start_is_due(make_pool: MakePool) -> None:
    """A start that failed long ago refuses no call for which a new one has not even been tried."""
    pool, _ = make_pool(ready=0, launcher=FakeLauncher(start_s=0.1))
    with pool._lock:  # as left by a start that nobody needed any more in the end
        backoff = pool._state.backoff
        backoff.failure, backoff.not_before = refusal("long ago"), time.monotonic() - 1

    assert name(pool)


def test_an_error_told_to_many_does_not_grow(make_pool: MakePool) -> None:
    """One instance raised for every call would keep each caller's frames alive."""
    pool, _ = make_pool(ready=0, launcher=FakeLauncher(fault=refusal(), start_s=0))
    lengths = []
    for _ in range(20):
        with pytest.raises(SandboxUnavailable) as told:
            name(pool)
        lengths.append(len(told.traceback))
    assert max(lengths) - min(lengths) <= 2


def test_each_caller_is_told_with_an_error_of_its_own(make_pool: MakePool, threads: ThreadPoolExecutor) -> None:
    """One instance raised in many threads at once would mix their tracebacks."""
    gate = threading.Event()
    fault = InvalidInput("image", "is none", "one")  # a class with arguments of its own
    pool, _ = make_pool(ready=0, starting=1, launcher=FakeLauncher(fault=fault, gate=gate))
    asked = [threads.submit(name, pool) for _ in range(8)]
    assert waiting(pool, 8)
    gate.set()
    told = [one.exception(5) for one in asked]

    assert len({id(one) for one in told} | {id(fault)}) == 9
    for one in told:
        assert isinstance(one, InvalidInput)
        assert (str(one), one.metadata) == (str(fault), fault.metadata)
        assert one.__cause__ is fault


def test_warm_ones_serve_on_while_starts_fail(make_pool: MakePool) -> None:
    """A full disk stops new containers only."""
    pool, launcher = make_pool(ready=0)
    first = name(pool, A)
    launcher.fault = refusal()

    assert name(pool, A) == first
    with pytest.raises(SandboxUnavailable):
        name(pool, B)
    assert name(pool, A) == first


# --- sandboxes that die -----------------------------------------------------------------------


def test_one_that_died_idle_is_replaced_unseen(make_pool: MakePool) -> None:
    """The caller gets another one; the dead one is removed."""
    pool, launcher = make_pool(ready=1, most=2)
    first = name(pool, A)
    launcher.made[0].usable = False

    assert name(pool, A) != first
    assert eventually(lambda: launcher.made[0].destroyed)


def test_one_that_died_blank_is_replaced_unseen(make_pool: MakePool) -> None:
    """Nobody is lent a dead one."""
    pool, launcher = make_pool(ready=2, most=2)
    assert eventually(lambda: pool.counts()["blank"] == 2)
    for sandbox in list(launcher.made):
        sandbox.usable = False

    with lent(pool) as sandbox:
        assert sandbox.usable
    assert eventually(lambda: sum(one.destroyed for one in launcher.made) == 2)


def test_one_that_is_doubted_after_a_call_is_not_kept(make_pool: MakePool) -> None:
    """It served its last call."""
    pool, launcher = make_pool()
    with lent(pool) as sandbox:
        sandbox.usable = False

    assert eventually(lambda: sandbox.destroyed)
    assert name(pool) != sandbox.info.container_id
    assert launcher.most_living <= 8


def test_idle_ones_whose_time_is_over_do_not_stay(make_pool: MakePool) -> None:
    """One that is bound and never asked for again is removed at the next look, not kept until evicted."""
    pool, launcher = make_pool(ready=0)
    name(pool, A)
    launcher.made[0].usable = False
    name(pool, B)  # makes the refiller look

    assert eventually(lambda: launcher.made[0].destroyed)


def test_an_error_in_the_callers_block_gives_the_sandbox_back(make_pool: MakePool) -> None:
    """Whatever happens to the caller, the place is free again."""
    pool, _ = make_pool(ready=0, most=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), lent(pool):
            raise ZeroDivisionError
    assert pool.counts()["leased"] == 0


def test_one_that_is_not_removed_takes_no_place_for_ever(make_pool: MakePool) -> None:
    """The engine's refusal is logged; the pool goes on."""
    launcher = FakeLauncher(destroy_fault=refusal("busy"))
    pool, _ = make_pool(ready=0, most=1, launcher=launcher)

    assert name(pool, A_CALL) != name(pool, A_CALL)


# --- no thread to be had ----------------------------------------------------------------------


def test_the_refiller_starts_itself_what_no_thread_starts(make_pool: MakePool) -> None:
    """A host out of threads makes the pool slower, not dead."""
    pool, _ = make_pool(ready=0, most=3)
    with no_threads():
        assert len({name(pool, key) for key in (A, B, C)}) == 3
    assert pool._refiller.running


def test_no_sandbox_is_lost_where_no_thread_removes_it(make_pool: MakePool) -> None:
    """It goes all the same, and its place is free again."""
    pool, launcher = make_pool(ready=0, most=1)
    with no_threads():
        assert name(pool, A) != name(pool, B)
        with lent(pool, B) as doubted:
            doubted.usable = False
        assert eventually(lambda: launcher.living == 0)
    assert name(pool, C)


def test_close_needs_no_thread(make_pool: MakePool) -> None:
    """Nothing is left behind, whatever the host is out of."""
    pool, launcher = make_pool(ready=2, most=4)
    assert eventually(lambda: pool.counts()["blank"] == 2)
    with no_threads(), lent(pool):
        pass
    with no_threads():
        pool.close()
    assert launcher.living == 0
    assert not pool._refiller.running


def test_a_bug_in_removing_ends_nothing(make_pool: MakePool) -> None:
    """Nor does it take a place for ever, even where the refiller removes."""
    launcher = FakeLauncher(destroy_fault=ZeroDivisionError("a bug"))
    pool, _ = make_pool(ready=0, most=1, launcher=launcher)
    with no_threads():
        assert name(pool, A_CALL) != name(pool, A_CALL)
    assert name(pool)


# --- closing ----------------------------------------------------------------------------------


def test_close_destroys_all_and_wakes_who_waits(make_pool: MakePool, threads: ThreadPoolExecutor) -> None:
    """Leased ones are killed, waiters are told, nothing is left."""
    pool, launcher = make_pool(ready=2, most=3)
    assert eventually(lambda: pool.counts()["blank"] == 2)
    held = threading.Event()

    def hold(key: SandboxKey) -> bool:
        with lent(pool, key) as sandbox:
            held.wait(5)
            return sandbox.killed

    holders = [threads.submit(hold, SandboxKey("t", str(number))) for number in range(3)]
    assert eventually(lambda: pool.counts()["leased"] == 3)
    waiter: Future[str] = threads.submit(name, pool, C)
    assert waiting(pool, 1)
    closer = threads.submit(pool.close)
    with pytest.raises(SandboxUnavailable, match="shutting down"):
        waiter.result(2)
    held.set()
    closer.result(5)

    assert [one.result(2) for one in holders] == [True, True, True]
    assert launcher.living == 0
    assert not pool._refiller.running


def test_after_close_nothing_is_lent(make_pool: MakePool) -> None:
    """At once, and as often as one asks."""
    pool, launcher = make_pool(ready=1)
    name(pool)
    pool.close()
    pool.close()

    for _ in range(2):
        with pytest.raises(SandboxUnavailable):
            name(pool)
    assert launcher.living == 0


def test_one_that_is_just_starting_is_destroyed_as_well(make_pool: MakePool) -> None:
    """Closing waits for it: no container outlives its pool."""
    launcher = FakeLauncher(start_s=0.3)
    pool, _ = make_pool(ready=2, launcher=launcher)
    assert eventually(lambda: pool.counts()["starting"] == 2)
    pool.close()

    assert (len(launcher.made), launcher.living) == (2, 0)


# --- all at once ------------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", [*Isolation, None], ids=[*Isolation, "mixed"])
def test_invariants_hold_under_sixteen_threads(make_pool: MakePool, isolation: Isolation | None) -> None:
    """Two seconds of everything: one user at a time, one key for life, never more than `most`, none left."""
    launcher = FakeLauncher(start_s=0.001, destroy_s=0.001)
    pool, _ = make_pool(ready=2, most=5, starting=2, queue=12, launcher=launcher)
    until, served = time.monotonic() + 2, [0] * 16
    allowed, levels = (Overloaded, CallCancelled, SandboxUnavailable), list(Isolation)

    def hammer(number: int) -> None:
        turn = 0
        while time.monotonic() < until:
            turn += 1
            level = isolation or levels[(turn + number) % 3]
            key = SandboxKey.of(level, f"tenant {turn % 3}", f"tool {(turn * number) % 4}")
            switch = Cancellation()
            if turn % 7 == 0:
                threading.Timer(0.001, switch.cancel).start()
            try:
                with lent(pool, key, 0.5 if turn % 5 else 0.001, switch) as sandbox:
                    served[number] += 1
                    if turn % 11 == 0:
                        sandbox.usable = False
                    time.sleep(0.0005 * (turn % 3))
            except allowed:
                continue

    with ThreadPoolExecutor(16) as workers:
        for done in [workers.submit(hammer, number) for number in range(16)]:
            done.result(20)
    counts = pool.counts()
    pool.close()

    assert (counts["leased"], counts["waiting"]) == (0, 0)
    assert launcher.most_living <= 5
    assert launcher.living == 0
    assert all(sandbox.most_users <= 1 for sandbox in launcher.made)
    assert all(len(one.served) <= 1 for one in launcher.made)
    assert all(one.uses <= 1 for one in launcher.made if any(key.isolation is Isolation.CALL for key in one.served))
    assert sum(served) > 100
    assert min(served) > 0, "someone starved"
