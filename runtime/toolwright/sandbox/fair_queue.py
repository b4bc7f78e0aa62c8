"""The calls that wait for a sandbox: bounded, and in fair order.

Next is always the tenant that holds the fewest places, of these the one that was served longest ago; of its keys
likewise; of a key's calls the one that has waited longest. So how many calls somebody sends does not change how soon
another one's is served. A full queue takes one more only in exchange for the newest call of whoever fills it.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TypeVar

from toolwright.errors import ToolwrightError
from toolwright.sandbox.base import SandboxKey
from toolwright.sandbox.shares import Claims, Shares
from toolwright.sandbox.stock import Found

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Waiter:
    """A call that waits. It is woken once: when it is served, or refused; or by whoever ends its wait."""

    key: SandboxKey
    since: float = field(default_factory=time.monotonic)
    """When it began to wait."""
    woken: threading.Event = field(default_factory=threading.Event)
    found: Found | None = None
    """What it got."""
    fault: ToolwrightError | None = None
    """Why it gets nothing."""

    def serve(self, found: Found) -> None:
        """Give it a sandbox."""
        self.found = found
        self.woken.set()

    def refuse(self, fault: ToolwrightError) -> None:
        """Send it away."""
        self.fault = fault
        self.woken.set()


@dataclass(slots=True)
class _Line:
    """The calls of one key, oldest first."""

    turn: float
    """Grows with each call served; the lowest is next."""
    waiters: dict[Waiter, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Tenant:
    """The lines of one tenant."""

    turn: float
    lines: dict[SandboxKey, _Line] = field(default_factory=dict)
    length: int = 0


class FairQueue:
    """At most `most` waiters. Whoever is not in it is forgotten, so it never holds more than these."""

    def __init__(self, most: int) -> None:
        """Let at most `most` wait."""
        self.most = most
        self._tenants: dict[str, _Tenant] = {}
        self._length = 0
        self._served = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return self._length

    def add(self, waiter: Waiter) -> None:
        """Put `waiter` in its line. Who comes anew is behind those who wait, and before whoever was served last."""
        key = waiter.key
        tenant = self._tenants.setdefault(key.tenant, _Tenant(self._served - 0.5))
        line = tenant.lines.setdefault(key, _Line(self._served - 0.5))
        line.waiters[waiter] = None
        tenant.length += 1
        self._length += 1

    def remove(self, waiter: Waiter) -> bool:
        """Take `waiter` out; return whether it was there."""
        tenant = self._tenants.get(waiter.key.tenant)
        line = tenant.lines.get(waiter.key) if tenant else None
        if tenant is None or line is None or waiter not in line.waiters:
            return False
        del line.waiters[waiter]
        tenant.length -= 1
        self._length -= 1
        if not line.waiters:
            del tenant.lines[waiter.key]
        if not tenant.length:
            del self._tenants[waiter.key.tenant]
        return True

    def pop(self, key: SandboxKey) -> Waiter | None:
        """Take out the one of `key` that has waited longest, whose turn it then was; None if none waits."""
        tenant = self._tenants.get(key.tenant)
        line = tenant.lines.get(key) if tenant else None
        if tenant is None or line is None:
            return None
        self._served += 1
        tenant.turn = line.turn = self._served
        waiter = next(iter(line.waiters))
        self.remove(waiter)
        return waiter

    def pop_for(self, key: SandboxKey) -> Waiter | None:
        """Take out the newest of the longest line, if `key`, with one more, would still have less; else None."""
        name, longest = max(self._tenants.items(), key=lambda item: item[1].length, default=("", None))
        if longest is None:
            return None
        full, line = max(longest.lines.items(), key=lambda item: len(item[1].waiters))
        if name == key.tenant:
            mine, theirs = self._waiting(key), len(line.waiters)
        else:
            own = self._tenants.get(key.tenant)
            mine, theirs = own.length if own else 0, longest.length
        if full == key or mine + 1 >= theirs:
            return None
        newest = next(reversed(line.waiters))
        self.remove(newest)
        return newest

    def pop_all(self) -> list[Waiter]:
        """Take out all."""
        waiters = [one for tenant in self._tenants.values() for line in tenant.lines.values() for one in line.waiters]
        self._tenants.clear()
        self._length = 0
        return waiters

    def lines(self) -> Iterator[tuple[SandboxKey, int, float]]:
        """Yield each key that waits, with how many calls, and since when the first of them does."""
        for tenant in self._tenants.values():
            for key, line in tenant.lines.items():
                yield key, len(line.waiters), next(iter(line.waiters)).since

    def order(self, shares: Shares, lacking: Mapping[SandboxKey, int]) -> Iterator[SandboxKey]:
        """Yield who is next to get a place, and next, each as often as it is `lacking` one. Changes nothing."""
        tenants = (
            (shares.of_tenant(name), tenant.turn, sum(lacking.get(key, 0) for key in tenant.lines), tenant)
            for name, tenant in self._tenants.items()
        )
        keys = ((places, turn, length, self._keys(tenant, shares, lacking)) for places, turn, length, tenant in tenants)
        return (next(key) for key in _rounds(keys, self._served))

    def claims(self, coming: int, shares: Shares, lacking: Mapping[SandboxKey, int]) -> Claims:
        """Return who lacks a place beyond those for whom `coming` ones are on their way."""
        served = Counter(islice(self.order(shares, lacking), coming))
        tenants: Counter[str] = Counter()
        for key, places in served.items():
            tenants[key.tenant] += places
        needy: dict[str, int] = {}
        for key, lack in lacking.items():
            if lack > served[key]:
                places = shares.of_key(key) + served[key]
                needy[key.tenant] = min(places, needy.get(key.tenant, places))
        return Claims({name: shares.of_tenant(name) + tenants[name] for name in needy}, needy)

    def _waiting(self, key: SandboxKey) -> int:
        tenant = self._tenants.get(key.tenant)
        line = tenant.lines.get(key) if tenant else None
        return len(line.waiters) if line else 0

    def _keys(self, tenant: _Tenant, shares: Shares, lacking: Mapping[SandboxKey, int]) -> Iterator[SandboxKey]:
        lines = ((shares.of_key(key), line.turn, lacking.get(key, 0), key) for key, line in tenant.lines.items())
        return _rounds(lines, self._served)


def _rounds(lines: Iterator[tuple[int, float, int, T]], served: int) -> Iterator[T]:
    """Yield from (places, turn, length, line) the line that is next, each as often as it is long."""
    numbered = enumerate(lines)
    heap = [(places, turn, number, length, line) for number, (places, turn, length, line) in numbered if length]
    heapq.heapify(heap)
    turns = count(served + 1)
    while heap:
        places, _, number, length, line = heap[0]
        yield line
        if length > 1:
            heapq.heapreplace(heap, (places + 1, next(turns), number, length - 1, line))
        else:
            heapq.heappop(heap)
