"""The last calls of one version, as far as they count for or against it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from toolwright.domain.feedback_policy import FeedbackPolicy, Signal, Threshold


class Windows:
    """A sliding window for each signal: of the last calls, which were bad. For one thread at a time."""

    def __init__(self, size: int) -> None:
        """Look at the last `size` of each signal."""
        self._seen: dict[Signal, deque[bool]] = {signal: deque(maxlen=size) for signal in Signal}

    def add(self, signal: Signal, *, bad: bool) -> None:
        """Take one more into account; the oldest goes."""
        self._seen[signal].append(bad)

    def replace(self, signal: Signal, bad: Iterator[bool]) -> None:
        """Take these instead of what was there."""
        window = self._seen[signal]
        window.clear()
        window.extend(bad)

    def counts(self, signal: Signal) -> tuple[int, int]:
        """Return how many are bad, and how many there are."""
        window = self._seen[signal]
        return sum(window), len(window)

    def breaches(self, policy: FeedbackPolicy) -> Iterator[tuple[Signal, Threshold, str]]:
        """Yield the signals of which too many are bad, with what is tolerated, and the figures in words."""
        for signal in Signal:
            threshold = policy.threshold(signal)
            bad, seen = self.counts(signal)
            if threshold.is_breached(bad, seen):
                yield signal, threshold, f"{signal.value}: {bad} of the last {seen}, at most {threshold.max_share:.0%}"
