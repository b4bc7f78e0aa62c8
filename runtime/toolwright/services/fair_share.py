"""A bounded number of places for several takers, none of which can keep the others out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable


class FairShare:
    """`places` of them; one that comes free goes to the waiting taker that has the fewest."""

    def __init__(self, places: int) -> None:
        """Start with all of them free."""
        self._free = places
        self._taken: Counter[Hashable] = Counter()
        self._waiting: list[Hashable] = []
        self._changed = threading.Condition()

    def take(self, taker: Hashable, given_up: Callable[[], bool]) -> bool:
        """Wait for a place and return whether one was taken.

        Args:
            taker: for whom. At most one thread of each waits at a time.
            given_up: says that the taker has no use for one any more; looked at after `wake`.
        """
        with self._changed:
            self._waiting.append(taker)
            try:
                while not given_up():
                    if self._free and min(self._waiting, key=self._taken.__getitem__) is taker:
                        self._free -= 1
                        self._taken[taker] += 1
                        return True
                    self._changed.wait()
                return False
            finally:
                self._waiting.remove(taker)
                self._tell()

    def give_back(self, taker: Hashable) -> None:
        """Free a place of `taker`."""
        with self._changed:
            self._free += 1
            self._taken[taker] -= 1
            if not self._taken[taker]:
                del self._taken[taker]
            self._tell()

    def wake(self) -> None:
        """Let each that waits look whether it has given up."""
        with self._changed:
            self._changed.notify_all()

    def _tell(self) -> None:
        if self._free and self._waiting:
            self._changed.notify_all()
