"""A pool of warm containers. Nothing is created in the call path: a refiller keeps blanks ready.

A container starts blank, is bound to the key of its first lease, and serves that key alone for life.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from toolwright.domain.call import Isolation
from toolwright.errors import CallCancelled, Overloaded, SandboxUnavailable, ToolwrightError
from toolwright.sandbox.base import Cancellation, Lease, Sandbox, SandboxInfo, SandboxKey

log = structlog.get_logger(__name__)

FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.25, 10.0
CLOSE_S = 30.0
"""Longest wait for all sandboxes to be gone."""


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


class PooledSandbox(Sandbox, Protocol):
    """What the pool needs of a sandbox beyond running calls."""

    @property
    def usable(self) -> bool:
        """Whether it may take another call."""

    def kill(self) -> None:
        """End every process in it now."""

    def destroy(self) -> None:
        """Remove it for good. Safe to call twice."""


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


@dataclass(eq=False, slots=True)
class _Waiter:
    """A lease that is waiting."""

    key: SandboxKey


@dataclass(slots=True)
class _State:
    """Everything that the pool's one lock protects."""

    blank: deque[PooledSandbox] = field(default_factory=deque)
    bound: dict[SandboxKey, list[PooledSandbox]] = field(default_factory=dict)
    """Idle ones, by key; the key least recently used first."""
    leased: set[PooledSandbox] = field(default_factory=set)
    waiters: deque[_Waiter] = field(default_factory=deque)
    starting: int = 0
    ending: int = 0
    failure: ToolwrightError | None = None
    not_before: float = 0.0
    backoff_s: float = FIRST_BACKOFF_S
    closed: bool = False

    @property
    def total(self) -> int:
        """Containers that exist or are about to, those being removed included."""
        idle = len(self.blank) + sum(map(len, self.bound.values()))
        return idle + len(self.leased) + self.starting + self.ending


class WarmPool:
    """Keeps `size.ready` blank sandboxes, lends them, and replaces what was used up."""

    def __init__(self, launcher: Launcher, size: PoolSize, isolation: Isolation) -> None:
        """Start filling in the background.

        Args:
            launcher: makes sandboxes.
            size: bounds.
            isolation: how far sandboxes are shared; decided by the server's policy, for every call.
        """
        self._launcher = launcher
        self._size = size
        self._isolation = isolation
        self._state = _State()
        # One lock; lenders and the refiller are woken apart, so that a warm lease wakes nobody.
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._needed = threading.Condition(self._lock)
        self._refiller = threading.Thread(target=self._refill, name="pool-refill", daemon=True)
        self._refiller.start()

    @property
    def info(self) -> SandboxInfo:
        """Image and runtime of every sandbox here."""
        return self._launcher.info

    def counts(self) -> dict[str, int]:
        """Return how many sandboxes are blank, idle, leased and starting, and how many calls wait."""
        with self._lock:
            state = self._state
            return {
                "blank": len(state.blank),
                "idle": sum(map(len, state.bound.values())),
                "leased": len(state.leased),
                "starting": state.starting,
                "waiting": len(state.waiters),
            }

    # --- lending ------------------------------------------------------------------------------

    def lease(self, key: SandboxKey, *, timeout_s: float, cancellation: Cancellation) -> AbstractContextManager[Lease]:
        """Lend a sandbox that has only ever served `key`; see `base.SandboxPool.lease`."""
        if self._isolation is Isolation.TENANT:
            key = SandboxKey(key.tenant, "")
        return self._lend(key, timeout_s, cancellation)

    @contextmanager
    def _lend(self, key: SandboxKey, timeout_s: float, cancellation: Cancellation) -> Iterator[Lease]:
        asked = time.monotonic()
        sandbox = self._wait(key, asked + timeout_s, cancellation)
        try:
            yield Lease(sandbox, queue_ms=(time.monotonic() - asked) * 1000, acquire_ms=0.0)
        finally:
            self._take_back(key, sandbox)

    def _wait(self, key: SandboxKey, deadline: float, cancellation: Cancellation) -> PooledSandbox:
        state = self._state
        with self._lock:
            waiter = _Waiter(key)
            sandbox = self._take(waiter) if not state.closed else None
            if sandbox is None:
                sandbox = self._queue(waiter, deadline, cancellation)
            state.leased.add(sandbox)
        return sandbox

    def _queue(self, waiter: _Waiter, deadline: float, cancellation: Cancellation) -> PooledSandbox:
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
            while (sandbox := self._take(waiter)) is None:
                self._refuse_if_hopeless(deadline, cancellation)
                self._freed.wait(max(0.0, deadline - time.monotonic()))
        finally:
            state.waiters.remove(waiter)
            self._freed.notify_all()  # another one may be the first now
        return sandbox

    def _take(self, waiter: _Waiter) -> PooledSandbox | None:
        """Return a sandbox for `waiter` if there is one: its own key's, else a blank one in its turn."""
        state = self._state
        while idle := state.bound.get(waiter.key):
            sandbox = idle.pop()
            if not idle:
                del state.bound[waiter.key]
            if sandbox.usable:
                return sandbox
            self._discard(sandbox)
        while state.blank and self._is_first(waiter):
            sandbox = state.blank.popleft()
            self._needed.notify()
            if sandbox.usable:
                return sandbox
            self._discard(sandbox)
        return None

    def _is_first(self, waiter: _Waiter) -> bool:
        for other in self._state.waiters:
            if other is waiter:
                break
            if other.key not in self._state.bound:
                return False
        return True

    def _refuse_if_hopeless(self, deadline: float, cancellation: Cancellation) -> None:
        state = self._state
        if cancellation.cancelled:
            raise CallCancelled("The call was cancelled while it waited; the tool did not run.")
        if state.closed:
            raise SandboxUnavailable("The server is shutting down; the tool did not run.")
        put_off = not state.starting and time.monotonic() < state.not_before
        if state.failure is not None and put_off and not state.leased:
            # The last start failed and the next is not due: nothing to wait for. One error is told to many,
            # so it must not keep the frames of each.
            raise state.failure.with_traceback(None)
        if time.monotonic() >= deadline:
            raise Overloaded("No sandbox came free in time; the tool did not run.", retry_after_s=1.0)

    def _take_back(self, key: SandboxKey, sandbox: PooledSandbox) -> None:
        with self._lock:
            state = self._state
            state.leased.discard(sandbox)
            if state.closed or self._isolation is Isolation.CALL or not sandbox.usable:
                self._discard(sandbox)
            else:
                idle = state.bound.pop(key, [])  # to the end: most recently used
                state.bound[key] = [*idle, sandbox]
            if state.waiters:
                self._freed.notify_all()
                self._needed.notify()  # the next one's key may be another: it can be evicted now

    def _wake(self) -> None:
        with self._lock:
            self._freed.notify_all()

    # --- filling ------------------------------------------------------------------------------

    def _refill(self) -> None:
        """Start what is missing, until the pool is closed."""
        with self._lock:
            while not self._state.closed:
                pause = self._start_missing()
                self._needed.wait(pause)

    def _start_missing(self) -> float:
        """Start as many sandboxes as are wanted and allowed; return how long to sleep at most."""
        state = self._state
        if (delay := state.not_before - time.monotonic()) > 0:
            return delay
        self._discard_unusable()
        starved = sum(1 for waiter in state.waiters if waiter.key not in state.bound)
        wanted = min(self._size.ready, self._size.most) + starved - len(state.blank) - state.starting
        while wanted > 0 and state.starting < self._size.starting:
            if state.total >= self._size.most:
                # Make room, once for each call that finds none; the end of the removal wakes us again.
                if starved > len(state.blank) + state.starting + state.ending:
                    self._evict()
                break
            state.starting += 1
            wanted -= 1
            threading.Thread(target=self._start_one, name="pool-start", daemon=True).start()
        return 30.0

    def _discard_unusable(self) -> None:
        """Remove what died or grew too old while nobody used it."""
        state = self._state
        for group in (state.blank, *state.bound.values()):
            for sandbox in [one for one in group if not one.usable]:
                group.remove(sandbox)
                self._discard(sandbox)
        for key in [key for key, group in state.bound.items() if not group]:
            del state.bound[key]

    def _evict(self) -> None:
        """Remove the idle sandbox of the key that was used least recently, if any is idle."""
        for key, idle in self._state.bound.items():
            sandbox = idle.pop(0)
            if not idle:
                del self._state.bound[key]
            self._discard(sandbox)
            return

    def _start_one(self) -> None:
        sandbox: PooledSandbox | None = None
        failure: ToolwrightError | None = None
        try:
            sandbox = self._launcher.launch()
        except ToolwrightError as fault:
            failure = fault
        except Exception as fault:  # noqa: BLE001 - a bug in starting must not stop the refiller for ever
            failure = SandboxUnavailable(f"A sandbox did not start: {fault!r}")
        with self._lock:
            self._note_start(sandbox, failure)
            self._freed.notify_all()
            self._needed.notify()

    def _note_start(self, sandbox: PooledSandbox | None, failure: ToolwrightError | None) -> None:
        state = self._state
        state.starting -= 1
        if sandbox is not None:
            state.failure, state.not_before, state.backoff_s = None, 0.0, FIRST_BACKOFF_S
            if state.closed:
                self._discard(sandbox)
            else:
                state.blank.append(sandbox)
            return
        state.failure = failure
        state.not_before = time.monotonic() + state.backoff_s
        state.backoff_s = min(LONGEST_BACKOFF_S, 2 * state.backoff_s)
        log.warning("sandbox_start_failed", error=str(failure), retry_in_s=round(state.backoff_s, 2))

    # --- ending -------------------------------------------------------------------------------

    def _discard(self, sandbox: PooledSandbox) -> None:
        self._state.ending += 1
        self._needed.notify()
        threading.Thread(target=self._destroy, args=(sandbox,), name="pool-destroy").start()

    def _destroy(self, sandbox: PooledSandbox) -> None:
        try:
            sandbox.destroy()
        except ToolwrightError as fault:
            # It is never handed out again; the sweep of the next start finds it by its label.
            log.warning("sandbox_not_removed", container=sandbox.info.container_id, error=str(fault))
        finally:
            with self._lock:
                self._state.ending -= 1
                self._freed.notify_all()
                self._needed.notify()

    def close(self) -> None:
        """Destroy every sandbox. Leases in use end as if their container had died."""
        state = self._state
        with self._lock:
            if state.closed:
                return
            state.closed = True
            idle = [*state.blank, *(sandbox for group in state.bound.values() for sandbox in group)]
            state.blank.clear()
            state.bound.clear()
            for sandbox in idle:
                self._discard(sandbox)
            leased = list(state.leased)
            self._freed.notify_all()
            self._needed.notify()
        for sandbox in leased:
            with suppress(ToolwrightError):
                sandbox.kill()
        with self._lock:
            self._freed.wait_for(lambda: state.total == 0, timeout=CLOSE_S)
        self._refiller.join(timeout=CLOSE_S)
