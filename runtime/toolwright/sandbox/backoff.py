"""Starts that fail are put off longer and longer."""

from __future__ import annotations

import time
from dataclasses import dataclass

from toolwright.errors import ToolwrightError

FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.25, 10.0


@dataclass(slots=True)
class Backoff:
    """When the next start is due, and why the last one failed."""

    failure: ToolwrightError | None = None
    """Why the last start failed; None if it did not."""
    not_before: float = 0.0
    """When the next start is due, by the monotonic clock."""
    pause_s: float = FIRST_BACKOFF_S

    @property
    def delay_s(self) -> float:
        """Seconds until a start is due; not above 0 if one is."""
        return self.not_before - time.monotonic()

    def failed(self, failure: ToolwrightError) -> None:
        """Put the next start off."""
        self.failure = failure
        self.not_before = time.monotonic() + self.pause_s
        self.pause_s = min(LONGEST_BACKOFF_S, 2 * self.pause_s)

    def succeeded(self) -> None:
        """Forget past failures."""
        self.failure, self.not_before, self.pause_s = None, 0.0, FIRST_BACKOFF_S


def retold(failure: ToolwrightError) -> ToolwrightError:
    """Return `failure` anew, for one caller: raised from many threads, one instance mixes and keeps their frames."""
    kind = type(failure)
    copy: ToolwrightError = kind.__new__(kind)
    copy.args = failure.args
    vars(copy).update(vars(failure))
    return copy
