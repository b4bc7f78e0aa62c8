"""Hands out ranges of user ids: no two containers on a host share one."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

RANGE = 2_048
"""Ids in a range: the agent's shield, one for each of a container's calls, and one for the process that waits."""
CALLS = RANGE - 3
"""Calls of one container at most: none of them comes near an id of the next range."""
_FIRST, _RANGES = 1 << 20, 1 << 19
"""Ids from 2**20 to 2**30: above every ordinary user, below what any file system or runtime balks at."""
REMAPPED_BASE = 2_048
"""Where the engine remaps users, only 65,536 ids exist, and each container has its own set of counters."""


class UidRanges:
    """Ranges in use by this process. Random, so that servers side by side hardly ever meet."""

    def __init__(self, *, remapped: bool = False, draw: Callable[[int], int] = secrets.randbelow) -> None:
        """Hand out one fixed range if the engine remaps users, else one of half a million.

        Args:
            remapped: whether the engine remaps users.
            draw: returns a random number from 0 to below its argument.
        """
        self._remapped = remapped
        self._draw = draw
        self._used: set[int] = set()
        self._lock = threading.Lock()  # several containers start and end at once

    def take(self) -> int:
        """Return the first id of a free range. Safe from any thread, as is `give_back`."""
        if self._remapped:
            return REMAPPED_BASE
        with self._lock:
            while (base := _FIRST + self._draw(_RANGES) * RANGE) in self._used:
                pass
            self._used.add(base)
            return base

    def give_back(self, base: int) -> None:
        """Free the range of a container that is gone."""
        with self._lock:
            self._used.discard(base)
