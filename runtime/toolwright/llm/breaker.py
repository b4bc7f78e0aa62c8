"""Leaving an endpoint alone that fails time and again, and looking now and then whether it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FAILURES = 3
"""Passing failures in a row after which it is left alone."""
PAUSE_S = 30.0
"""Seconds for which it is."""


class Breaker:
    """Closed: asked. Open: not asked for a pause. Half open: asked by one request, which decides. Thread-safe."""

    def __init__(
        self, *, failures: int = FAILURES, pause_s: float = PAUSE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start closed."""
        self._failures, self._pause_s, self._clock = failures, pause_s, clock
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._open_until: float | None = None

    def admits(self) -> bool:
        """Return whether to ask now. After a pause one caller is let through; the next waits another pause."""
        with self._lock:
            if self._open_until is None:
                return True
            if self._clock() < self._open_until:
                return False
            self._open_until = self._clock() + self._pause_s
            return True

    def succeeded(self) -> None:
        """Close: it answered."""
        with self._lock:
            self._in_a_row, self._open_until = 0, None

    def failed(self, *, surely: bool = False) -> None:
        """Count a failure; `surely` one that will not pass by itself, which opens at once."""
        with self._lock:
            self._in_a_row += 1
            if surely or self._in_a_row >= self._failures:
                self._open_until = self._clock() + self._pause_s

    @property
    def wait_s(self) -> float:
        """Seconds until it is asked again; 0 if it is now."""
        with self._lock:
            return 0.0 if self._open_until is None else max(0.0, self._open_until - self._clock())
