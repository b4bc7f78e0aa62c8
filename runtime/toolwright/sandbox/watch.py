"""Decides when a call has to be ended from outside, and why."""

from __future__ import annotations

from dataclasses import dataclass

from toolwright.domain.limits import Limits
from toolwright.sandbox.transcript import Transcript
from toolwright.sandbox.verdict import Stop


@dataclass(frozen=True, slots=True)
class Watch:
    """The clock over one call."""

    limits: Limits
    begun: float
    """When it was sent, by the monotonic clock."""

    def deadline(self, transcript: Transcript) -> float:
        """Return when its time is up, as far as it has got."""
        wall_s = self.limits.wall_time_s
        return self.begun + (wall_s if transcript.loaded else min(wall_s, self.limits.load_time_s))

    def why_end(self, transcript: Transcript, now: float, *, cancelled: bool) -> Stop | None:
        """Return why it has to end now; None if it may go on."""
        if cancelled:
            return Stop.CANCELLED
        if now >= self.deadline(transcript):
            in_time = now < self.begun + self.limits.wall_time_s
            return Stop.LOADING if in_time else Stop.TIMEOUT
        if transcript.result_is_too_large:
            return Stop.RESULT_TOO_LARGE
        return None
