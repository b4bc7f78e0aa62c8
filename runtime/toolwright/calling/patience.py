"""How long a request is worth working on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from toolwright.errors import CallCancelled, DeadlineExceeded
from toolwright.sandbox.base import Cancellation


@dataclass(frozen=True, slots=True)
class Patience:
    """A caller's deadline and switch. Asked between steps; a model's reply that is under way is waited for."""

    ends_at: float | None = None
    """By `time.monotonic`, in seconds; None for no deadline."""
    cancellation: Cancellation = field(default_factory=Cancellation)

    @classmethod
    def of(cls, deadline_s: float | None, cancellation: Cancellation | None) -> Patience:
        """Return patience that ends `deadline_s` seconds from now, or when `cancellation` is cancelled."""
        ends_at = None if deadline_s is None else time.monotonic() + deadline_s
        return cls(ends_at, cancellation or Cancellation())

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the deadline, not below 0; None for no deadline."""
        return None if self.ends_at is None else max(0.0, self.ends_at - time.monotonic())

    def check(self) -> None:
        """Go on, if there is anyone to go on for.

        Raises:
            CallCancelled: cancelled.
            DeadlineExceeded: the deadline has passed.
        """
        if self.cancellation.cancelled:
            raise CallCancelled("the caller cancelled; nothing more was started")
        if self.remaining_s == 0.0:
            raise DeadlineExceeded("the deadline passed; nothing more was started. Allow more time")
