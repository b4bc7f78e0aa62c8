"""The sandboxes of a pool, each in one state, and whose they are. Nothing here locks, waits or starts anything."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from toolwright.sandbox.base import Sandbox, SandboxKey
from toolwright.sandbox.shares import Shares


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


class Idle(NamedTuple):
    """Of a key's idle ones, the one used least recently."""

    key: SandboxKey
    since: float
    """When its last call ended."""
    bound_at: float
    """When it became the key's."""


@dataclass(slots=True)
class Stock:
    """Blank, idle, leased and doomed sandboxes, and how many are starting."""

    blank: deque[PooledSandbox] = field(default_factory=deque)
    bound: dict[SandboxKey, list[PooledSandbox]] = field(default_factory=dict)
    """Idle ones, by key; of a key, the one used least recently first."""
    since: dict[PooledSandbox, float] = field(default_factory=dict)
    """When the start of each blank one began, and when the last call of each idle one ended."""
    bound_at: dict[PooledSandbox, float] = field(default_factory=dict)
    """When each idle or leased one became its key's."""
    leased: dict[PooledSandbox, float] = field(default_factory=dict)
    """Since when each is."""
    shares: Shares = field(default_factory=Shares)
    doomed: deque[PooledSandbox] = field(default_factory=deque)
    """Still to be removed."""
    starting: int = 0
    ending: int = 0
    """Doomed, or just being removed."""

    @property
    def idle(self) -> int:
        """Sandboxes that belong to a key and wait for its next call."""
        return sum(map(len, self.bound.values()))

    @property
    def total(self) -> int:
        """Sandboxes that exist or are about to, those being removed included."""
        return len(self.blank) + self.shares.total + self.starting + self.ending

    def add_blank(self, sandbox: PooledSandbox, began: float) -> None:
        """Keep a new one, whose start began at `began`."""
        self.blank.append(sandbox)
        self.since[sandbox] = began

    def take_blank(self, key: SandboxKey) -> Found | None:
        """Lend the oldest blank one that is usable, which is `key`'s from now on."""
        while self.blank:
            sandbox = self.blank.popleft()
            since = self.since.pop(sandbox)
            if not sandbox.usable:
                self.discard(sandbox)
                continue
            self.shares.add(key)
            self.bound_at[sandbox] = self.leased[sandbox] = time.monotonic()
            return Found(sandbox, since)
        return None

    def take_idle(self, key: SandboxKey) -> Found | None:
        """Lend the one that served `key` last, if any is idle and usable."""
        while group := self.bound.get(key):
            sandbox = group.pop()
            if not group:
                del self.bound[key]
            since = self.since.pop(sandbox)
            if sandbox.usable:
                self.leased[sandbox] = time.monotonic()
                return Found(sandbox, since)
            self.discard(sandbox, key)
        return None

    def add_idle(self, key: SandboxKey, sandbox: PooledSandbox) -> None:
        """Keep one that has just served `key`."""
        self.bound.setdefault(key, []).append(sandbox)
        self.since[sandbox] = time.monotonic()

    def least_recent(self) -> list[Idle]:
        """Return, of each key that has idle ones, the one used least recently; of these, the same first."""
        firsts = ((key, group[0]) for key, group in self.bound.items())
        return sorted(
            (Idle(key, self.since[one], self.bound_at[one]) for key, one in firsts), key=lambda one: one.since
        )

    def evict(self, key: SandboxKey) -> None:
        """Discard the idle one of `key` that was used least recently."""
        group = self.bound[key]
        sandbox = group.pop(0)
        if not group:
            del self.bound[key]
        self.discard(sandbox, key)

    def discard(self, sandbox: PooledSandbox, key: SandboxKey | None = None) -> None:
        """Have one removed that is in no other state any more; `key` is whose it was."""
        self.since.pop(sandbox, None)
        if key is not None:
            self.shares.remove(key)
            del self.bound_at[sandbox]
        self.doomed.append(sandbox)
        self.ending += 1

    def discard_unusable(self) -> None:
        """Discard what died or grew too old while nobody used it."""
        for sandbox in [one for one in self.blank if not one.usable]:
            self.blank.remove(sandbox)
            self.discard(sandbox)
        for key, group in list(self.bound.items()):
            for sandbox in [one for one in group if not one.usable]:
                group.remove(sandbox)
                self.discard(sandbox, key)
            if not group:
                del self.bound[key]

    def discard_all(self) -> None:
        """Discard all that nobody uses."""
        while self.blank:
            self.discard(self.blank.popleft())
        for key in list(self.bound):
            while key in self.bound:
                self.evict(key)
