"""What a warm pool has: its sandboxes, each in one state, the calls that wait, and starts that failed.

Nothing here locks, waits or starts anything: `pool.WarmPool` does, under its one lock.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from toolwright.errors import ToolwrightError
from toolwright.sandbox.base import Sandbox, SandboxKey

FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.25, 10.0


class PooledSandbox(Sandbox, Protocol):
    """What the pool needs of a sandbox beyond running calls."""

    @property
    def usable(self) -> bool:
        """Whether it may take another call."""

    def kill(self) -> None:
        """End every process in it now."""

    def destroy(self) -> None:
        """Remove it for good. Safe to call twice."""


class Found(NamedTuple):
    """A sandbox for a call."""

    sandbox: PooledSandbox
    since: float
    """When a place for the call was there at the earliest: its start began, or its last call ended."""


@dataclass(eq=False, slots=True)
class Waiter:
    """A lease that is waiting."""

    key: SandboxKey


@dataclass(slots=True)
class Backoff:
    """Starts that fail are put off longer and longer."""

    failure: ToolwrightError | None = None
    """Why the last start failed; None if it did not."""
    not_before: float = 0.0
    """When the next start is due, by the monotonic clock."""
    pause_s: float = FIRST_BACKOFF_S

    @property
    def delay_s(self) -> float:
        """Seconds until a start is due; not above 0 if one is."""
        return self.not_before - time.monotonic()

    def failed(self, failure: ToolwrightError) -> None:
        """Put the next start off."""
        self.failure = failure
        self.not_before = time.monotonic() + self.pause_s
        self.pause_s = min(LONGEST_BACKOFF_S, 2 * self.pause_s)

    def succeeded(self) -> None:
        """Forget past failures."""
        self.failure, self.not_before, self.pause_s = None, 0.0, FIRST_BACKOFF_S


def retold(failure: ToolwrightError) -> ToolwrightError:
    """Return `failure` anew, for one caller: raised from many threads, one instance mixes and keeps their frames."""
    kind = type(failure)
    copy: ToolwrightError = kind.__new__(kind)
    copy.args = failure.args
    vars(copy).update(vars(failure))
    return copy


@dataclass(slots=True)
class PoolState:
    """Everything that the pool's lock protects."""

    blank: deque[PooledSandbox] = field(default_factory=deque)
    bound: dict[SandboxKey, list[PooledSandbox]] = field(default_factory=dict)
    """Idle ones, by key; of a key, the one used least recently first."""
    since: dict[PooledSandbox, float] = field(default_factory=dict)
    """When the start of each blank one began, and when the last call of each idle one ended."""
    leased: set[PooledSandbox] = field(default_factory=set)
    waiters: deque[Waiter] = field(default_factory=deque)
    lent_at: float = field(default_factory=time.monotonic)
    """When a lease last began or ended; at first, when the pool was opened."""
    starting: int = 0
    ending: int = 0
    backoff: Backoff = field(default_factory=Backoff)
    closed: bool = False

    # --- counts -------------------------------------------------------------------------------

    @property
    def idle(self) -> int:
        """Sandboxes that belong to a key and wait for its next call."""
        return sum(map(len, self.bound.values()))

    @property
    def held(self) -> int:
        """Places that belong to a key: no other key's call can be served there."""
        return self.idle + len(self.leased)

    @property
    def total(self) -> int:
        """Sandboxes that exist or are about to, those being removed included."""
        return len(self.blank) + self.held + self.starting + self.ending

    @property
    def starved(self) -> int:
        """Waiting calls that no idle sandbox of their own key can serve."""
        return sum(1 for waiter in self.waiters if waiter.key not in self.bound)

    def is_first(self, waiter: Waiter) -> bool:
        """Whether a blank one is `waiter`'s by its turn: nobody waits longer who needs one as well."""
        for other in self.waiters:
            if other is waiter:
                break
            if other.key not in self.bound:
                return False
        return True

    # --- coming and going -----------------------------------------------------------------------

    def add_blank(self, sandbox: PooledSandbox, began: float) -> None:
        """Keep a new one, whose start began at `began`."""
        self.blank.append(sandbox)
        self.since[sandbox] = began

    def add_idle(self, key: SandboxKey, sandbox: PooledSandbox) -> None:
        """Keep one that has just served `key`."""
        self.bound.setdefault(key, []).append(sandbox)
        self.since[sandbox] = time.monotonic()

    def pop_idle(self, key: SandboxKey, at: int = -1) -> Found | None:
        """Take the one that served `key` last (or the one at `at`), if any is idle."""
        group = self.bound.get(key)
        if not group:
            return None
        sandbox = group.pop(at)
        if not group:
            del self.bound[key]
        return Found(sandbox, self.since.pop(sandbox))

    def pop_blank(self) -> Found | None:
        """Take the oldest blank one, if there is one."""
        if not self.blank:
            return None
        sandbox = self.blank.popleft()
        return Found(sandbox, self.since.pop(sandbox))

    def least_recent(self) -> tuple[SandboxKey, float] | None:
        """Return whose idle one was used least recently (its first), and when that was."""
        if not self.bound:
            return None
        key = min(self.bound, key=lambda one: self.since[self.bound[one][0]])
        return key, self.since[self.bound[key][0]]

    def pop_unusable(self) -> Iterator[PooledSandbox]:
        """Take what died or grew too old while nobody used it."""
        for group in (self.blank, *self.bound.values()):
            for sandbox in [one for one in group if not one.usable]:
                group.remove(sandbox)
                del self.since[sandbox]
                yield sandbox
        for key in [key for key, group in self.bound.items() if not group]:
            del self.bound[key]

    def pop_all(self) -> list[PooledSandbox]:
        """Take all that nobody uses."""
        found = [*self.blank, *(sandbox for group in self.bound.values() for sandbox in group)]
        self.blank.clear()
        self.bound.clear()
        self.since.clear()
        return found
