"""What a sandbox and a pool of them promise. The honest fake in `testing.py` and Docker keep the same promises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from toolwright.domain.call import Isolation, ToolCall
from toolwright.domain.outcome import Outcome


@dataclass(frozen=True, slots=True)
class SandboxKey:
    """What a container belongs to for life: calls of two keys never meet in one container."""

    tenant: str
    tool_digest: str
    """Empty where the isolation level lets a tenant's tools share."""
    isolation: Isolation = Isolation.TOOL
    """CALL: not even calls of this key meet; each gets a sandbox that never served, and that never serves again."""

    @classmethod
    def of(cls, isolation: Isolation, tenant: str, tool_digest: str, replica: int = 0) -> SandboxKey:
        """Return the key of a tenant's call of some code, at a level of isolation.

        Calls that differ in `replica` never share a sandbox, whatever the level.
        """
        shared = "" if isolation is Isolation.TENANT else tool_digest
        return cls(tenant, f"{shared}#{replica}" if replica else shared, isolation)


@dataclass(frozen=True, slots=True)
class SandboxInfo:
    """What a reply says of the sandbox it came from."""

    container_id: str
    image_digest: str
    runtime: str


@dataclass(slots=True)
class Cancellation:
    """One switch that ends a call from another thread. It goes one way: once cancelled, for ever."""

    _event: threading.Event = field(default_factory=threading.Event)
    _callbacks: list[Callable[[], None]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Cancel; runs what was registered, once."""
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Run `callback` on cancel, or at once if that has happened. It must not block or raise."""
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def forget(self, callback: Callable[[], None]) -> None:
        """Take back one `on_cancel(callback)`, where it has not run."""
        with self._lock, suppress(ValueError):
            self._callbacks.remove(callback)


class Sandbox(Protocol):
    """A leased container, ours alone until the lease ends; `with pool.lease(...)` bounds it."""

    @property
    def info(self) -> SandboxInfo:
        """Where calls run."""

    def run(self, call: ToolCall, cancellation: Cancellation) -> Outcome:
        """Run `call` to its end. A tool that raises, hangs or dies is an `Outcome`.

        Returns:
            The outcome; `INFRASTRUCTURE` if the container was lost after the call had been sent.

        Raises:
            SandboxUnavailable: the tool did not run, and that is our fault.
            CallCancelled: `cancellation` was cancelled; every process of the call is dead.
        """


class SandboxPool(Protocol):
    """Sandboxes kept ready."""

    @property
    def info(self) -> SandboxInfo:
        """Image and runtime of every sandbox here; the container id is empty."""

    def lease(self, key: SandboxKey, *, timeout_s: float, cancellation: Cancellation) -> AbstractContextManager[Lease]:
        """Lend a sandbox that has only ever served `key`.

        Raises:
            Overloaded: the queue is full, or no sandbox came free within `timeout_s` seconds.
            SandboxUnavailable: none could be started, or none was in that time although nobody has one.
            CallCancelled: cancelled while waiting.
        """

    def close(self) -> None:
        """Destroy every sandbox. Leases in use end as if their container had died."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A sandbox on loan, and what getting it took."""

    sandbox: Sandbox
    queue_ms: float
    """Waiting while no place was free, nor a sandbox for this call being started."""
    acquire_ms: float
    """Getting the sandbox, from when its start was under way or it came free; near 0 for a warm one."""
