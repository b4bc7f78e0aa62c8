"""How long leases last, and so whether a call gets on sooner with one more sandbox than by waiting for another call.

Short calls of one key share about as many sandboxes as there are cores: more would only take turns on these.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

from toolwright.sandbox.base import SandboxKey
from toolwright.sandbox.shares import Shares

_NEW: Final = 0.2
"""What the last lease counts in their mean."""
_STUCK: Final = 5
"""After how many times the patience a key whose leases do not end is taken to need as many sandboxes as calls."""


@dataclass(slots=True)
class _Times:
    """Of one key."""

    mean_s: float
    """As if each had had a core of its own."""
    ended_at: float
    """When the last one ended."""


class LeaseTimes:
    """Mean times of leases, by key, of the keys that hold places."""

    def __init__(self, patience_s: float, cores: int) -> None:
        """Call a wait of up to `patience_s` short, where a key has `cores` sandboxes."""
        self._patience_s, self._cores = patience_s, cores
        self._times: dict[SandboxKey, _Times] = {}

    @property
    def stuck_s(self) -> float:
        """If no lease of a key has ended for so long, what runs now takes longer than what ran before."""
        return _STUCK * self._patience_s

    def ended(self, key: SandboxKey, seconds: float, busy: int) -> None:
        """Learn from a lease of `key` that ends now, and lasted `seconds` beside others: `busy` with itself."""
        # Where more run than there are cores, each takes longer for it; with yet more sandboxes it would all the more.
        alone_s = seconds * min(1.0, self._cores / max(1, busy))
        if (times := self._times.get(key)) is None:
            self._times[key] = _Times(alone_s, time.monotonic())
            return
        times.mean_s += (alone_s - times.mean_s) * _NEW
        times.ended_at = time.monotonic()

    def keep(self, shares: Shares) -> None:
        """Forget keys that hold no place any more."""
        for key in [key for key in self._times if not shares.of_key(key)]:
            del self._times[key]

    def lack(self, key: SandboxKey, held: int, waiting: int, since: float) -> int:
        """Return how many of `waiting` calls need a place beyond the `held` ones of their key.

        Args:
            key: whose calls.
            held: places of the key.
            waiting: its calls that wait, or would.
            since: when the first of them began to.
        """
        times = self._times.get(key)
        if not held or times is None:
            return waiting
        if time.monotonic() - max(since, times.ended_at) > self.stuck_s:
            return waiting
        enough = max(self._cores, math.ceil((waiting + 1) * times.mean_s / self._patience_s))
        return min(waiting, max(0, enough - held))
