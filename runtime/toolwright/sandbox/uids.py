"""Hands out ranges of user ids: no two containers on a host share one."""

from __future__ import annotations

import secrets

RANGE = 2_048
"""Ids in a range: more than a container's calls, each of which takes one, and the agent's shield."""
_FIRST, _RANGES = 1 << 20, 1 << 19
"""Ids from 2**20 to 2**30: above every ordinary user, below what any file system or runtime balks at."""
REMAPPED_BASE = 2_048
"""Where the engine remaps users, only 65,536 ids exist, and each container has its own set of counters."""


class UidRanges:
    """Ranges in use by this process. Random, so that servers side by side hardly ever meet."""

    def __init__(self, *, remapped: bool = False) -> None:
        """Hand out one fixed range if the engine remaps users, else one of half a million."""
        self._remapped = remapped
        self._used: set[int] = set()

    def take(self) -> int:
        """Return the first id of a free range."""
        if self._remapped:
            return REMAPPED_BASE
        while True:
            base = _FIRST + secrets.randbelow(_RANGES) * RANGE
            if base not in self._used:
                self._used.add(base)
                return base

    def give_back(self, base: int) -> None:
        """Free the range of a container that is gone."""
        self._used.discard(base)
