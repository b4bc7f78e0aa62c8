"""A pool of warm containers. Nothing is created in the call path: a refiller keeps blanks ready.

A container starts blank, is bound to the key of its first lease, and serves that key alone for life; one that was lent
for a single call (`Isolation.CALL`) is destroyed after it. Keys of all levels of isolation share the places. They hold
at most `most` - `ready` of them for long (but one at least, so `most` = 1 keeps what it has): where they hold more, the
container used least recently is removed ahead of demand, so that a new key finds a blank and not a full pool. One that
was used within `rest_s` is let go only for a call that waits, and then only by one who has a right to its place, see
`shares.py`; and none before it has served its key for as long as a start takes. Where calls take blanks faster than
these can be replaced, more are kept, in places that are free. What nobody uses for `idle_s` is removed.

A call that finds nothing waits in a `fair_queue.FairQueue`; who gives a sandbox back hands it to the one whose turn it
is, and wakes nobody else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog

from toolwright.errors import CallCancelled, ToolwrightError
from toolwright.sandbox.backoff import retold
from toolwright.sandbox.base import Cancellation, Lease, SandboxInfo, SandboxKey
from toolwright.sandbox.budget import Budget
from toolwright.sandbox.fair_queue import Waiter
from toolwright.sandbox.pool_size import PoolSize
from toolwright.sandbox.pool_state import PoolState
from toolwright.sandbox.pool_stats import PoolStats
from toolwright.sandbox.refiller import Launcher, Refiller
from toolwright.sandbox.stock import Found, PooledSandbox

__all__ = ["Launcher", "PoolSize", "WarmPool"]

log = structlog.get_logger(__name__)

CLOSE_S: Final = 30.0
"""Longest wait for all sandboxes to be gone."""


class WarmPool:
    """Keeps blank sandboxes ready, lends them, and replaces what was used up."""

    def __init__(self, launcher: Launcher, size: PoolSize, budget: Budget | None = None) -> None:
        """Start filling in the background.

        Args:
            launcher: makes sandboxes.
            size: bounds.
            budget: memory for them. None: it is not looked at.
        """
        self._launcher = launcher
        self._state = PoolState(size, _limit(size, budget))
        # One lock; each waiter and the refiller are woken apart, so that a warm lease wakes nobody.
        self._lock = threading.Lock()
        self._refiller = Refiller(launcher, self._state, self._lock, budget)

    @property
    def info(self) -> SandboxInfo:
        """Image and runtime of every sandbox here."""
        return self._launcher.info

    @property
    def trouble(self) -> str:
        """Why no call can be served now: there is no sandbox, and none can be started. Empty if one can.

        It is told as well if nobody looks after the pool any more, whatever is left in it.
        """
        with self._lock:
            state = self._state
            if not (self._refiller.running or state.closed):
                return "Sandboxes are neither started nor removed any more, by a fault of the server: restart it."
            if state.stock.blank or state.stock.shares.total:
                return ""
            return str(state.backoff.failure or state.shortage)

    @property
    def stats(self) -> PoolStats:
        """All figures, at one moment."""
        with self._lock:
            return self._state.stats()

    def counts(self) -> dict[str, int]:
        """Return how many sandboxes are blank, idle, leased and starting, and how many calls wait."""
        stats = self.stats
        return {name: getattr(stats, name) for name in ("blank", "idle", "leased", "starting", "waiting")}

    @contextmanager
    def lease(self, key: SandboxKey, *, timeout_s: float, cancellation: Cancellation) -> Iterator[Lease]:
        """Lend a sandbox that has only ever served `key`; see `base.SandboxPool.lease`."""
        asked = time.monotonic()
        sandbox, since = self._take(key) or self._wait(key, asked + timeout_s, cancellation)
        placed = max(asked, since)
        queue_s, acquire_s = placed - asked, time.monotonic() - placed
        try:
            yield Lease(sandbox, queue_ms=queue_s * 1000, acquire_ms=acquire_s * 1000)
        finally:
            self._give_back(key, sandbox)

    def _take(self, key: SandboxKey) -> Found | None:
        with self._lock:
            found = self._state.take(key)
            self._refiller.nudge()
            return found

    def _wait(self, key: SandboxKey, deadline: float, cancellation: Cancellation) -> Found:
        with self._lock:
            # Once more: one may have come since; from here on whatever comes is handed over.
            if (found := self._state.take(key)) is None:
                waiter = self._state.join(key)
            self._refiller.nudge()
        if found is not None:
            return found
        try:
            cancellation.on_cancel(waiter.woken.set)
            left_s = deadline - time.monotonic()
            # Again and again: whether its key's leases end is known only ever for the last while.
            while not waiter.woken.wait(min(left_s, self._state.times.stuck_s)) and left_s > 0:
                self._look_again()
                left_s = deadline - time.monotonic()
        except BaseException:
            self._leave(waiter)
            raise
        finally:
            # A call of a batch waits as often as it is turned away, with the same switch.
            cancellation.forget(waiter.woken.set)
        return self._served(waiter, cancellation)

    def _look_again(self) -> None:
        with self._lock:
            self._state.look_again()
            self._refiller.nudge()

    def _served(self, waiter: Waiter, cancellation: Cancellation) -> Found:
        """Return what `waiter` got, or say why it got nothing."""
        with self._lock:
            if waiter.found is not None:
                return waiter.found
            self._state.queue.remove(waiter)
            if cancellation.cancelled:
                raise CallCancelled("The call was cancelled while it waited; the tool did not run.")
            if waiter.fault is not None:
                raise retold(waiter.fault) from waiter.fault
            raise self._state.in_vain()

    def _leave(self, waiter: Waiter) -> None:
        """Take out a waiter whose thread was broken into; what it may have got goes back."""
        with self._lock:
            self._state.queue.remove(waiter)
        if waiter.found is not None:
            self._give_back(waiter.key, waiter.found.sandbox)

    def _give_back(self, key: SandboxKey, sandbox: PooledSandbox) -> None:
        with self._lock:
            self._state.give_back(key, sandbox)
            self._refiller.nudge()

    def close(self) -> None:
        """Destroy every sandbox. Leases in use end as if their container had died."""
        state = self._state
        with self._lock:
            if state.closed:
                return
            state.closed = state.due = True
            state.stock.discard_all()
            leased: list[PooledSandbox] = list(state.stock.leased)
            state.refuse_if_hopeless()
            self._refiller.nudge()
        for sandbox in leased:
            with suppress(ToolwrightError):
                sandbox.kill()
        self._refiller.wait_empty(CLOSE_S)


def _limit(size: PoolSize, budget: Budget | None) -> int:
    """Return how many containers there may be; say so where it is memory that binds."""
    places = budget.places if budget else None
    if budget is None or places is None or places >= size.most:
        return size.most
    log.warning(
        "memory_bounds_the_pool",
        containers=places,
        max_containers=size.most,
        container_bytes=budget.container_bytes,
        machine_bytes=budget.total_bytes,
        memory_share=budget.rules.share,
    )
    return places
