"""When a tool has paid for itself: what its making took against what each question saves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from toolwright.domain.ledger import Baseline, Part, TaskCosts

_NEVER = 1e15


def break_even_after(making_usd: float, light_usd: float, strong_usd: float) -> int | None:
    """Return the first number of questions for which a tool is the cheaper way; None if it never is, or beyond 10^15.

    Args:
        making_usd: spent once.
        light_usd: for each question with the tool.
        strong_usd: for each question with the strong model.
    """
    saved = strong_usd - light_usd
    if not saved > 0 or not making_usd / saved < _NEVER:
        return None
    return math.floor(making_usd / saved) + 1


@dataclass(frozen=True, slots=True)
class BreakEven:
    """One task's account, in US dollars. All of it is measured, but for a baseline that was `assumed`."""

    task: str
    making_usd: float
    """All makings, those that failed too."""
    questions: int
    """Given to its tool."""
    light_usd: float | None
    """Mean of a question given to its tool: dispatcher and light model. None before the first one."""
    strong_usd: float | None
    """Mean of a question answered by the strong model; None if that was neither measured nor assumed."""
    strong_questions: int
    """Answered by the strong model."""
    assumed: bool
    """Whether `strong_usd` was given by hand."""
    unpriced_calls: int
    """Exchanges of unknown price among all these: if there are any, the amounts are too low, and nothing is decided."""

    @property
    def after(self) -> int | None:
        """The number of questions after which the tool has paid for itself; None if that is not known, or never."""
        if self.light_usd is None or self.strong_usd is None or self.unpriced_calls:
            return None
        return break_even_after(self.making_usd, self.light_usd, self.strong_usd)

    @property
    def paid_off(self) -> bool | None:
        """Whether it has; None if that is not known."""
        if self.unknown:
            return None
        return self.after is not None and self.questions >= self.after

    @property
    def saved_usd(self) -> float | None:
        """What the tool has saved so far; negative while it has not paid for itself, None if that is not known."""
        if self.light_usd is None or self.strong_usd is None or self.unpriced_calls:
            return None
        return self.questions * (self.strong_usd - self.light_usd) - self.making_usd

    @property
    def unknown(self) -> str:
        """Why nothing can be said of its break-even; empty if something can."""
        if self.unpriced_calls:
            return f"not known: no price is known for {self.unpriced_calls} of its exchanges with models"
        if self.strong_usd is None:
            return "not measured: no question of this kind was answered by the strong model"
        if self.light_usd is None:
            return "not known: no question was given to the tool yet"
        return ""


def baseline_of(costs: Iterable[TaskCosts], assumed: float | None = None) -> Baseline:
    """Return what the strong model took for a question of each task where it answered some, all priced."""
    strong = {account.task: account.of(Part.STRONG) for account in costs}
    measured = {
        task: spent.cost_usd / spent.questions
        for task, spent in strong.items()
        if spent.questions and not spent.unpriced_calls
    }
    return Baseline(measured, assumed)


def break_evens(costs: Iterable[TaskCosts], baseline: Baseline) -> tuple[BreakEven, ...]:
    """Return the account of each task that has, or was to have, a tool."""
    return tuple(
        _account(account, baseline)
        for account in costs
        if account.task and (account.of(Part.MAKING).calls or account.of(Part.LIGHT).calls)
    )


def _account(costs: TaskCosts, baseline: Baseline) -> BreakEven:
    making, light, strong = (costs.of(part) for part in (Part.MAKING, Part.LIGHT, Part.STRONG))
    each = baseline.of(costs.task)
    return BreakEven(
        task=costs.task,
        making_usd=making.cost_usd,
        questions=light.questions,
        light_usd=light.cost_usd / light.questions if light.questions else None,
        strong_usd=each,
        strong_questions=strong.questions,
        assumed=each is not None and costs.task not in baseline.measured,
        # The strong model's own do not count where its price was assumed.
        unpriced_calls=making.unpriced_calls
        + light.unpriced_calls
        + (strong.unpriced_calls if baseline.assumed is None else 0),
    )
