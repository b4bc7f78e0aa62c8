"""What was learned of each model at each endpoint, for as long as this process lives and some time at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from toolwright.llm.features import Feature

LIFETIME_S = 3_600.0
"""Seconds until an endpoint is tried anew: it may have been set up otherwise meanwhile."""
MISSES = 2
"""Replies in a row that ignored a feature, after which it counts as missing."""


@dataclass(frozen=True, slots=True)
class Place:
    """One model at one endpoint."""

    base_url: str
    model: str


@dataclass(slots=True)
class Learned:
    """What models lack. Shared by all requests of a process; safe to use from many threads."""

    lifetime_s: float = LIFETIME_S
    clock: Callable[[], float] = time.monotonic
    _until: dict[tuple[Place, Feature], float] = field(default_factory=dict)
    _misses: dict[tuple[Place, Feature], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lacks(self, place: Place, feature: Feature) -> bool:
        """Return whether `feature` is known not to work at `place`."""
        with self._lock:
            return self._until.get((place, feature), 0.0) > self.clock()

    def learn(self, place: Place, features: Iterable[Feature]) -> None:
        """Remember that the endpoint answered without `features`, after it had refused them."""
        with self._lock:
            for feature in features:
                self._until[place, feature] = self.clock() + self.lifetime_s

    def heed(self, place: Place, feature: Feature, *, followed: bool) -> None:
        """Count a reply that did or did not follow what `feature` asks for."""
        with self._lock:
            misses = 0 if followed else self._misses.get((place, feature), 0) + 1
            if misses >= MISSES:
                self._until[place, feature] = self.clock() + self.lifetime_s
                misses = 0
            self._misses[place, feature] = misses
