"""Starts and removes sandboxes in the background, so that no call has to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from toolwright.errors import SandboxUnavailable, ToolwrightError
from toolwright.sandbox.base import SandboxInfo
from toolwright.sandbox.budget import Budget
from toolwright.sandbox.plan import plan
from toolwright.sandbox.pool_state import PoolState
from toolwright.sandbox.stock import PooledSandbox

log = structlog.get_logger(__name__)

LULL_S: Final = 0.02
"""Nothing is started or removed so soon after the call that gave the reason for it began or ended, unless calls wait:
an engine at work takes the cores from that very call."""
_RETRY_S: Final = 1.0
"""When to plan again after it failed."""


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


class Refiller:
    """One thread that plans, and a bounded number of threads that start and remove what it says."""

    def __init__(self, launcher: Launcher, state: PoolState, lock: threading.Lock, budget: Budget | None) -> None:
        """Begin at once.

        Args:
            launcher: makes sandboxes.
            state: of the pool.
            lock: protects `state`.
            budget: memory for them; None if it is not looked at.
        """
        self._launcher, self._state, self._lock, self._budget = launcher, state, lock, budget
        self._needed = threading.Condition(lock)
        self._emptied = threading.Condition(lock)
        self._ending = 0
        self._undone: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="pool-refill", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it still looks after the pool."""
        return self._thread.is_alive()

    def nudge(self) -> None:
        """Have it plan if there is reason to. The lock is held."""
        if self._state.due:
            self._needed.notify()

    def wait_empty(self, timeout_s: float) -> None:
        """Wait until a closed pool is empty and this has ended, or `timeout_s` is over."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            self._emptied.wait_for(lambda: self._state.stock.total == 0, timeout=timeout_s)
        self._thread.join(timeout=max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        """Do what is planned, and what no thread could be had for. Ends when the pool is closed and empty."""
        state = self._state
        with self._lock:
            while not state.closed or state.stock.total:
                starts, pause_s = self._plan()
                for _ in range(starts):
                    state.stock.starting += 1
                    self._apart(self._start_one, "pool-start")
                self._end_some()
                if self._undone:
                    self._do(self._undone.pop())
                elif not state.due:
                    self._needed.wait(pause_s)
                    self._let_calls_go_first()

    def _plan(self) -> tuple[int, float]:
        """Return what `plan` does; where it fails, to start nothing and to look again soon."""
        try:
            return plan(self._state, self._budget)
        except Exception as fault:  # noqa: BLE001 - what a machine out of files does not tell must not end the refiller
            log.warning("pool_not_planned", error=repr(fault), retry_in_s=_RETRY_S)
            return 0, _RETRY_S

    def _let_calls_go_first(self) -> None:
        end = time.monotonic() + LULL_S
        while not self._state.closed and not len(self._state.queue) and (left_s := end - time.monotonic()) > 0:
            self._needed.wait(left_s)

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
            state.stock.starting -= 1
            if failure is not None:
                log.warning("sandbox_start_failed", error=str(failure), retry_in_s=round(state.backoff.pause_s, 2))
                state.failed(failure)
            if sandbox is not None:
                state.started(sandbox, began)
            self._needed.notify()
            self._emptied.notify_all()

    def _end_some(self) -> None:
        """Remove what is doomed, a few at once; at the end, all at once."""
        state = self._state
        doomed = len(state.stock.doomed) - self._ending
        for _ in range(doomed if state.closed else min(doomed, state.size.ending - self._ending)):
            self._ending += 1
            self._apart(self._end_doomed, "pool-destroy")

    def _end_doomed(self) -> None:
        doomed = self._state.stock.doomed
        with self._lock:
            while doomed:
                sandbox = doomed.popleft()
                self._lock.release()
                try:
                    _destroy(sandbox)
                finally:
                    self._lock.acquire()
                    self._state.stock.ending -= 1
                    self._state.due = True
                    self._needed.notify()
                    self._emptied.notify_all()
            self._ending -= 1

    def _apart(self, job: Callable[[], None], name: str) -> None:
        """Do `job`, which takes the lock itself, in a thread; where there is none to be had, in this one."""
        try:
            threading.Thread(target=job, name=name, daemon=name == "pool-start").start()
        except RuntimeError as fault:
            log.warning("no_thread", wanted_for=name, error=str(fault))
            self._undone.append(job)

    def _do(self, job: Callable[[], None]) -> None:
        self._lock.release()
        try:
            job()
        finally:
            self._lock.acquire()


def _destroy(sandbox: PooledSandbox) -> None:
    try:
        sandbox.destroy()
    except Exception as fault:  # noqa: BLE001 - whoever removes has more to remove, and must not end by it
        # It is never handed out again; the sweep of the next start finds it by its label.
        log.warning("sandbox_not_removed", container=sandbox.info.container_id, error=str(fault))
