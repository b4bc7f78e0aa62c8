"""When a version is held back for what is seen of it in use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Signal(StrEnum):
    """What is looked at. Its value is how people read it."""

    ERRORS = "calls that ended without a result"
    REFUSALS = "calls of light models that the schema refused"
    WRONG = "answers reported as wrong"
    DRIFT = "calls unlike any that it was verified with"


class Action(StrEnum):
    """What is done about a share that is too large."""

    QUARANTINE = "quarantine"
    REPORT_ONLY = "report_only"
    """Logged, and nothing else."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A share that is too large, once enough was seen."""

    min_count: int
    max_share: float
    action: Action = Action.QUARANTINE

    def is_breached(self, bad: int, seen: int) -> bool:
        """Whether `bad` of `seen` are too many."""
        return seen >= self.min_count and bad > self.max_share * seen


@dataclass(frozen=True, slots=True)
class FeedbackPolicy:
    """What is tolerated of a version, over the last `window` of each signal."""

    window: int = 200
    errors: Threshold = Threshold(20, 0.3)
    refusals: Threshold = Threshold(20, 0.5)
    wrong: Threshold = Threshold(5, 0.4)
    # That calls are unlike the verified ones says nothing of their answers, so by itself it holds no version back.
    drift: Threshold = Threshold(50, 0.5, Action.REPORT_ONLY)
    remake: bool = True
    """Whether a version that was held back is made anew."""
    remake_cool_down_s: float = 3_600.0
    """Seconds after a making of a task in which none is started for it."""
    remake_failures: int = 20
    """Most reported failures that become examples of a new version."""
    kept_answers: int = 10_000
    """Answers that are kept for reports on them."""

    def threshold(self, signal: Signal) -> Threshold:
        """Return what holds for `signal`."""
        return {
            Signal.ERRORS: self.errors,
            Signal.REFUSALS: self.refusals,
            Signal.WRONG: self.wrong,
            Signal.DRIFT: self.drift,
        }[signal]
