"""A pool of warm containers. Nothing is created in the call path: a refiller keeps blanks ready.

A container starts blank, is bound to the key of its first lease, and serves that key alone for life; one that was lent
for a single call (`Isolation.CALL`) is destroyed after it. Keys of all levels of isolation share the places. They hold
at most `most` - `ready` of them for long (but one at least, so `most` = 1 keeps what it has): where they hold more, the
container used least recently is removed ahead of demand, so that a new key finds a blank and not a full pool. One that
was used within `rest_s` is let go only for a call that waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from toolwright.domain.call import Isolation
from toolwright.errors import CallCancelled, Overloaded, SandboxUnavailable, ToolwrightError
from toolwright.sandbox.base import Cancellation, Lease, SandboxInfo, SandboxKey
from toolwright.sandbox.pool_state import Found, PooledSandbox, PoolState, Waiter, retold

log = structlog.get_logger(__name__)

CLOSE_S = 30.0
"""Longest wait for all sandboxes to be gone."""
STALLED_S = 1.0
"""If nobody had a sandbox for so long, it is not the load that a call waited for in vain: the engine starts none."""
LOOK_S = 30.0
"""How often the refiller looks for sandboxes that died or grew too old, with nothing else to do."""


@dataclass(frozen=True, slots=True)
class PoolSize:
    """How many containers, and how long a queue for them."""

    ready: int = 2
    """Blank containers kept ready."""
    most: int = 8
    """Containers at once, in use ones included."""
    starting: int = 2
    """Containers that may be starting at once; more only makes each slower."""
    queue: int = 64
    """Calls that may wait; one more is refused."""
    rest_s: float = 3.0
    """Seconds, above 0. A container called more often than that is in use, although it is idle between two calls:
    it does not make room for a blank that nobody waits for. Longer than a start for each of the default 8 places,
    else as many tools as places, called in turn, would evict each other for ever."""


class Launcher(Protocol):
    """Makes sandboxes for a pool."""

    @property
    def info(self) -> SandboxInfo:
        """Image and runtime of what it makes."""

    def launch(self) -> PooledSandbox:
        """Start one.

        Raises:
            ToolwrightError: it did not start; nothing is left behind.
        """


class WarmPool:
    """Keeps `size.ready` blank sandboxes, lends them, and replaces what was used up."""

    def __init__(self, launcher: Launcher, size: PoolSize) -> None:
        """Start filling in the background.

        Args:
            launcher: makes sandboxes.
            size: bounds.
        """
        self._launcher = launcher
        self._size = size
        self._state = PoolState()
        # One lock; lenders and the refiller are woken apart, so that a warm lease wakes nobody.
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._needed = threading.Condition(self._lock)
        self._undone: list[Callable[[], None]] = []
        self._refiller = threading.Thread(target=self._refill, name="pool-refill", daemon=True)
        self._refiller.start()

    @property
    def info(self) -> SandboxInfo:
        """Image and runtime of every sandbox here."""
        return self._launcher.info

    @property
    def trouble(self) -> str:
        """Why no call can be served now: there is no sandbox, and the last start failed. Empty if one can."""
        with self._lock:
            state = self._state
            return "" if state.backoff.failure is None or state.blank or state.held else str(state.backoff.failure)

    def counts(self) -> dict[str, int]:
        """Return how many sandboxes are blank, idle, leased and starting, and how many calls wait."""
        with self._lock:
            state = self._state
            return {
                "blank": len(state.blank),
                "idle": state.idle,
                "leased": len(state.leased),
                "starting": state.starting,
                "waiting": len(state.waiters),
            }

    # --- lending ------------------------------------------------------------------------------

    @contextmanager
    def lease(self, key: SandboxKey, *, timeout_s: float, cancellation: Cancellation) -> Iterator[Lease]:
        """Lend a sandbox that has only ever served `key`; see `base.SandboxPool.lease`."""
        asked = time.monotonic()
        sandbox, since = self._wait(key, asked + timeout_s, cancellation)
        placed = max(asked, since)
        queue_s, acquire_s = placed - asked, time.monotonic() - placed
        try:
            yield Lease(sandbox, queue_ms=queue_s * 1000, acquire_ms=acquire_s * 1000)
        finally:
            self._take_back(key, sandbox)

    def _wait(self, key: SandboxKey, deadline: float, cancellation: Cancellation) -> Found:
        state = self._state
        with self._lock:
            waiter = Waiter(key)
            found = self._take(waiter) if not state.closed else None
            if found is None:
                found = self._queue(waiter, deadline, cancellation)
            state.leased.add(found.sandbox)
            state.lent_at = time.monotonic()
        return found

    def _queue(self, waiter: Waiter, deadline: float, cancellation: Cancellation) -> Found:
        state = self._state
        if len(state.waiters) >= self._size.queue:
            raise Overloaded(
                f"All sandboxes are busy and {self._size.queue} calls wait already; the tool did not run.",
                retry_after_s=1.0,
            )
        state.waiters.append(waiter)
        self._needed.notify()
        # Registered without the lock: a cancel that has already happened calls back at once.
        self._lock.release()
        try:
            cancellation.on_cancel(self._wake)
        finally:
            self._lock.acquire()
        try:
            while (found := self._take(waiter)) is None:
                self._refuse_if_hopeless(deadline, cancellation)
                self._freed.wait(max(0.0, deadline - time.monotonic()))
        finally:
            state.waiters.remove(waiter)
            self._freed.notify_all()  # another one may be the first now
        return found

    def _take(self, waiter: Waiter) -> Found | None:
        """Return a sandbox for `waiter` if there is one: its own key's, else a blank one in its turn."""
        state = self._state
        while found := state.pop_idle(waiter.key):
            if found.sandbox.usable:
                return found
            self._discard(found.sandbox)
        while state.is_first(waiter) and (found := state.pop_blank()):
            self._needed.notify()
            if found.sandbox.usable:
                return found
            self._discard(found.sandbox)
        return None

    def _refuse_if_hopeless(self, deadline: float, cancellation: Cancellation) -> None:
        state = self._state
        if cancellation.cancelled:
            raise CallCancelled("The call was cancelled while it waited; the tool did not run.")
        if state.closed:
            raise SandboxUnavailable("The server is shutting down; the tool did not run.")
        put_off = not state.starting and state.backoff.delay_s > 0
        if (failure := state.backoff.failure) is not None and put_off and not state.leased:
            # The last start failed and the next is not due: nothing to wait for.
            raise retold(failure) from failure
        if time.monotonic() >= deadline:
            if not state.leased and time.monotonic() - state.lent_at > STALLED_S:
                raise retold(failure or SandboxUnavailable("No sandbox was started in time; the tool did not run."))
            raise Overloaded("No sandbox came free in time; the tool did not run.", retry_after_s=1.0)

    def _take_back(self, key: SandboxKey, sandbox: PooledSandbox) -> None:
        with self._lock:
            state = self._state
            state.leased.discard(sandbox)
            state.lent_at = time.monotonic()
            if state.closed or key.isolation is Isolation.CALL or not sandbox.usable:
                self._discard(sandbox)
            else:
                state.add_idle(key, sandbox)
            if state.waiters:
                self._freed.notify_all()
                self._needed.notify()  # the next one's key may be another: it can be evicted now

    def _wake(self) -> None:
        with self._lock:
            self._freed.notify_all()

    # --- filling ------------------------------------------------------------------------------

    def _refill(self) -> None:
        """Start what is missing; do what no thread could be had for. Ends when the pool is closed and empty."""
        state = self._state
        with self._lock:
            while not state.closed or state.total:
                pause_s = LOOK_S if state.closed else self._fill()
                if self._undone:
                    self._do(self._undone.pop())
                else:
                    self._needed.wait(pause_s)

    def _fill(self) -> float:
        """Make room, and start as many as are wanted and allowed; return how long to sleep at most."""
        state, size = self._state, self._size
        if (delay_s := state.backoff.delay_s) > 0:
            return delay_s
        for sandbox in state.pop_unusable():
            self._discard(sandbox)
        pause_s = self._make_room()
        wanted = min(size.ready, size.most) + state.starved - len(state.blank) - state.starting
        for _ in range(min(wanted, size.starting - state.starting, size.most - state.total)):
            state.starting += 1
            self._apart(self._start_one, "pool-start")
        return pause_s

    def _make_room(self) -> float:
        """Evict while too few places are left for keys that have none; return when to look again, in seconds."""
        state, size = self._state, self._size
        needed = state.starved
        wanted = needed + min(size.ready, size.most - 1)
        if state.backoff.failure is not None:  # one place is enough to find out whether starts work again
            wanted = needed = min(needed, 1)
        while (left := size.most - state.held) < wanted:
            oldest = state.least_recent()
            if oldest is None:
                return size.rest_s
            key, since = oldest
            rest_s = since + size.rest_s - time.monotonic()
            if left >= needed and rest_s > 0:
                return rest_s
            evicted = state.pop_idle(key, 0)
            if evicted is not None:
                self._discard(evicted.sandbox)
        return LOOK_S

    def _start_one(self) -> None:
        began = time.monotonic()
        sandbox: PooledSandbox | None = None
        failure: ToolwrightError | None = None
        try:
            sandbox = self._launcher.launch()
        except ToolwrightError as fault:
            failure = fault
        except Exception as fault:  # noqa: BLE001 - a bug in starting must not stop the refiller for ever
            failure = SandboxUnavailable(f"A sandbox did not start: {fault!r}")
        with self._lock:
            state = self._state
            state.starting -= 1
            if failure is not None:
                log.warning("sandbox_start_failed", error=str(failure), retry_in_s=round(state.backoff.pause_s, 2))
                state.backoff.failed(failure)
            if sandbox is not None:
                state.backoff.succeeded()
                if state.closed:
                    self._discard(sandbox)
                else:
                    state.add_blank(sandbox, began)
            self._freed.notify_all()
            self._needed.notify()

    # --- ending -------------------------------------------------------------------------------

    def _discard(self, sandbox: PooledSandbox) -> None:
        self._state.ending += 1
        self._needed.notify()
        self._apart(lambda: self._destroy(sandbox), "pool-destroy")

    def _destroy(self, sandbox: PooledSandbox) -> None:
        try:
            sandbox.destroy()
        except Exception as fault:  # noqa: BLE001 - the refiller may have to do this, and must not end by it
            # It is never handed out again; the sweep of the next start finds it by its label.
            log.warning("sandbox_not_removed", container=sandbox.info.container_id, error=str(fault))
        finally:
            with self._lock:
                self._state.ending -= 1
                self._freed.notify_all()
                self._needed.notify()

    def _apart(self, job: Callable[[], None], name: str) -> None:
        """Do `job`, which takes the lock itself, in a thread; where there is none to be had, in the refiller's."""
        try:
            threading.Thread(target=job, name=name, daemon=name == "pool-start").start()
        except RuntimeError as fault:
            log.warning("no_thread", wanted_for=name, error=str(fault))
            self._undone.append(job)
            self._needed.notify()

    def _do(self, job: Callable[[], None]) -> None:
        self._lock.release()
        try:
            job()
        finally:
            self._lock.acquire()

    def close(self) -> None:
        """Destroy every sandbox. Leases in use end as if their container had died."""
        state = self._state
        deadline = time.monotonic() + CLOSE_S
        with self._lock:
            if state.closed:
                return
            state.closed = True
            for sandbox in state.pop_all():
                self._discard(sandbox)
            leased = list(state.leased)
            self._freed.notify_all()
            self._needed.notify()
        for sandbox in leased:
            with suppress(ToolwrightError):
                sandbox.kill()
        with self._lock:
            self._freed.wait_for(lambda: state.total == 0, timeout=CLOSE_S)
        self._refiller.join(timeout=max(0.0, deadline - time.monotonic()))
