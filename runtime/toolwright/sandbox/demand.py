"""How fast events come, and how many blank sandboxes that asks for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

MEMORY_S: Final = 5.0
"""What was so long ago counts a third; after four times that, nothing to speak of."""
_SHORTEST_S: Final = 1.0
"""Events are taken to have come over so long at least: a few at once are no rate yet."""
_NEW_START: Final = 0.2
"""What the last start's time counts in their mean."""

Clock = Callable[[], float]


@dataclass(slots=True)
class Rate:
    """Events a second, exponentially weighted: it follows the load within seconds, and decays when nothing comes."""

    clock: Clock = time.monotonic
    _level: float = 0.0
    _at: float = -math.inf
    _began: float = 0.0

    def add(self) -> None:
        """Count one event."""
        now = self.clock()
        self._level = self._decayed(now)
        if self._level < _FORGOTTEN:
            self._began = now
        self._level += 1
        self._at = now

    @property
    def known(self) -> bool:
        """Whether there was any event that still counts."""
        return self._decayed(self.clock()) >= _FORGOTTEN

    @property
    def per_s(self) -> float:
        """Events a second, now."""
        now = self.clock()
        seen_s = max(now - self._began, _SHORTEST_S)
        # What is remembered of a rate that began only just now is less than what is remembered of an old one.
        return self._decayed(now) / (MEMORY_S * -math.expm1(-seen_s / MEMORY_S))

    def _decayed(self, now: float) -> float:
        return self._level * math.exp((self._at - now) / MEMORY_S)


_FORGOTTEN: Final = math.exp(-4)


@dataclass(slots=True)
class Demand:
    """Calls that take a blank sandbox, and how long it takes to start another."""

    clock: Clock = time.monotonic
    arrivals: Rate = field(init=False)
    start_s: float = 0.0
    """Mean time of a start, in seconds; 0 until one was measured."""

    def __post_init__(self) -> None:
        """Begin with no demand."""
        self.arrivals = Rate(self.clock)

    def started(self, seconds: float) -> None:
        """Learn from a start that took `seconds`."""
        self.start_s += (seconds - self.start_s) * (_NEW_START if self.start_s else 1.0)

    @property
    def blanks(self) -> int:
        """Blank sandboxes, starting ones included, that let calls at this rate find one ready.

        Those that will be taken while a start lasts, and their standard deviation if calls come at random.
        """
        taken = self.arrivals.per_s * self.start_s
        return round(taken + math.sqrt(taken))
