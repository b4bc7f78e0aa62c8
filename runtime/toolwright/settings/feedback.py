"""Section `feedback`: when a version is held back for what is seen of it in use, and what follows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from toolwright.domain.feedback_policy import Action, FeedbackPolicy, Threshold
from toolwright.settings.section import Section

_DEFAULT = FeedbackPolicy()
_MAX_WINDOW = 10_000

Count = Annotated[int, Field(ge=1, le=_MAX_WINDOW)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ErrorSettings(Section):
    """Calls that ended without a result: the tool raised, crashed, or ran into a limit that was not the caller's."""

    min_count: Count = _DEFAULT.errors.min_count
    """Calls that have to be seen before a share of them means anything."""
    max_share: Share = _DEFAULT.errors.max_share
    """Largest share that is tolerated; 1 tolerates all."""
    action: Action = _DEFAULT.errors.action
    """`quarantine` holds the version back; `report_only` writes to the log."""


class RefusalSettings(Section):
    """Calls by light models whose arguments the tool's schema refused."""

    min_count: Count = _DEFAULT.refusals.min_count
    """Calls by light models that have to be seen."""
    max_share: Share = _DEFAULT.refusals.max_share
    """Largest share that is tolerated; 1 tolerates all."""
    action: Action = _DEFAULT.refusals.action
    """`quarantine` or `report_only`."""


class WrongSettings(Section):
    """Answers that were reported as wrong."""

    min_count: Count = _DEFAULT.wrong.min_count
    """Reports, of right answers or wrong ones, that have to be there."""
    max_share: Share = _DEFAULT.wrong.max_share
    """Largest share that is tolerated; 1 tolerates all."""
    action: Action = _DEFAULT.wrong.action
    """`quarantine` or `report_only`. Callers are not authenticated: whoever can call tools can report on them."""


class DriftSettings(Section):
    """Calls with an argument unlike any that the version was verified with; see docs/feedback.md."""

    min_count: Count = _DEFAULT.drift.min_count
    """Calls that have to be seen."""
    max_share: Share = _DEFAULT.drift.max_share
    """Largest share that is tolerated; 1 tolerates all."""
    action: Action = _DEFAULT.drift.action
    """`quarantine` or `report_only`. That calls are unlike the verified ones does not say that answers are wrong."""


class FeedbackSettings(Section):
    """When a version is held back for what is seen of it in use, and what follows."""

    action: Action = Action.QUARANTINE
    """`report_only` holds nothing back, whatever the signals' own actions are: what would have been is logged."""
    window: Annotated[int, Field(ge=10, le=_MAX_WINDOW)] = _DEFAULT.window
    """How many of the last calls, and of the last reports, of a version are looked at: 10 to 10,000."""
    errors: ErrorSettings = ErrorSettings()
    refusals: RefusalSettings = RefusalSettings()
    wrong: WrongSettings = WrongSettings()
    drift: DriftSettings = DriftSettings()
    kept_answers: Annotated[int, Field(ge=0, le=10_000_000)] = _DEFAULT.kept_answers
    """Questions and answers that are kept, so that reports on them can be used; the oldest go. 0 keeps none."""
    remake: bool = _DEFAULT.remake
    """Whether a version that was held back is made anew, in the background, from its task and reported failures."""
    remake_cool_down_s: Annotated[float, Field(ge=0, le=30 * 86_400, allow_inf_nan=False)] = _DEFAULT.remake_cool_down_s
    """Seconds after any making for a task in which none is started for it by this: 0 to 30 days."""
    remake_failures: Annotated[int, Field(ge=0, le=200)] = _DEFAULT.remake_failures
    """Most reported failures, newest first, that become examples of the task when it is made anew: 0 to 200."""
    reverify: bool = True
    """Whether a server that starts verifies anew what was verified in another image or under higher limits. Until then
    such versions are not run; `toolwright tools verify` does the same by hand."""

    @property
    def policy(self) -> FeedbackPolicy:
        """The same as a value of the domain."""
        return FeedbackPolicy(
            window=self.window,
            errors=self._threshold(self.errors),
            refusals=self._threshold(self.refusals),
            wrong=self._threshold(self.wrong),
            drift=self._threshold(self.drift),
            remake=self.remake,
            remake_cool_down_s=self.remake_cool_down_s,
            remake_failures=self.remake_failures,
            kept_answers=self.kept_answers,
        )

    def _threshold(self, of: ErrorSettings | RefusalSettings | WrongSettings | DriftSettings) -> Threshold:
        action = Action.REPORT_ONLY if self.action is Action.REPORT_ONLY else of.action
        return Threshold(of.min_count, of.max_share, action)
