"""What the method saves: dear tools made once and cheap questions, against a dear model for each question."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from toolwright.domain.break_even import BreakEven, break_even_after
from toolwright.domain.cost_report import CostReport
from toolwright.domain.record import Role, TokenUse


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What was spent after so many questions, and what the strong model would have taken for the same."""

    questions: int
    light_usd: float
    strong_usd: float


@dataclass(frozen=True, slots=True)
class CostCurve:
    """Two lines over the number of questions: as it was, then going on by the means. All in US dollars."""

    making_usd: float
    """Spent on making."""
    light_usd: float
    """Mean of a question with tools: the dispatcher and the light model."""
    strong_usd: float
    """Mean of a question without tools: the strong model."""
    points: tuple[CurvePoint, ...] = ()
    """As it was, by questions. None: all is made before the first question, and nothing was asked yet."""

    @property
    def measured(self) -> int:
        """The number of questions up to which the lines are what was; beyond, they go on by the means."""
        return self._end.questions

    def light_after(self, questions: float) -> float:
        """Return the cost of so many questions with tools, making included."""
        before, after = self._around(questions)
        if after is None:
            return before.light_usd + self.light_usd * (questions - before.questions)
        return _between(before.light_usd, after.light_usd, _share(before, after, questions))

    def strong_after(self, questions: float) -> float:
        """Return the cost of so many questions with the strong model alone."""
        before, after = self._around(questions)
        if after is None:
            return before.strong_usd + self.strong_usd * (questions - before.questions)
        return _between(before.strong_usd, after.strong_usd, _share(before, after, questions))

    def path(self, start: int, end: int) -> Iterator[CurvePoint]:
        """Yield the corners of both lines from `start` to `end` questions."""
        yield CurvePoint(start, self.light_after(start), self.strong_after(start))
        yield from (point for point in self.points if start < point.questions < end)
        yield CurvePoint(end, self.light_after(end), self.strong_after(end))

    @property
    def break_even(self) -> int | None:
        """The number of questions from which on tools are the cheaper way; None if they never are."""
        end = self._end
        if end.light_usd >= end.strong_usd:
            after = break_even_after(end.light_usd - end.strong_usd, self.light_usd, self.strong_usd)
            return None if after is None else end.questions + after
        dearer = [place for place, point in enumerate(self.points) if point.light_usd >= point.strong_usd]
        last = dearer[-1] if dearer else -1
        before, after_it = (self.points[last] if dearer else CurvePoint(0, 0.0, 0.0)), self.points[last + 1]
        lead, lag = after_it.strong_usd - after_it.light_usd, before.light_usd - before.strong_usd
        crossing = before.questions + (after_it.questions - before.questions) * lag / (lag + lead)
        return min(math.floor(crossing) + 1, after_it.questions)

    @property
    def span(self) -> int:
        """A round number of questions that shows all that was, and what happens around the break-even point."""
        wanted = max(10, 2 * (self.break_even or 50), self.measured)
        unit = 10 ** math.floor(math.log10(wanted))
        return next(int(step * unit) for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * unit >= wanted)

    @property
    def _end(self) -> CurvePoint:
        return self.points[-1] if self.points else CurvePoint(0, self.making_usd, 0.0)

    def _around(self, questions: float) -> tuple[CurvePoint, CurvePoint | None]:
        """Return the last point up to so many questions, and the first one beyond; None past the end."""
        if questions >= self.measured:
            return self._end, None
        before = CurvePoint(0, 0.0, 0.0)
        for point in self.points:
            if point.questions > questions:
                return before, point
            before = point
        return before, None


def curve_of(report: CostReport) -> CostCurve | None:
    """Return the curve of what is in the ledger; None while no question that can be compared was given to a tool."""
    compared = [account for account in report.break_evens if account.questions and account.strong_usd is not None]
    questions = sum(account.questions for account in compared)
    if not questions:
        return None
    points = tuple(
        CurvePoint(point.questions, point.with_tools_usd, point.strong_usd) for point in report.series.points
    )
    return CostCurve(
        making_usd=report.series.points[-1].making_usd,
        light_usd=_mean(compared, questions, strong=False),
        strong_usd=_mean(compared, questions, strong=True),
        points=points,
    )


def merged_use(uses: Iterable[TokenUse]) -> tuple[TokenUse, ...]:
    """Return one sum per role and model, in order of first use."""
    sums: dict[tuple[Role, str], TokenUse] = {}
    for use in uses:
        key = (use.role, use.model)
        so_far = sums.get(key)
        sums[key] = use if so_far is None else _added(so_far, use)
    return tuple(sums.values())


def round_ticks(highest: float, *, most: int) -> list[float]:
    """Return round numbers from 0 up to `highest` at equal distances, at most `most` + 1 of them."""
    if highest <= 0:
        return [0.0]
    rough = highest / most
    unit = 10 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough * (1 - 1e-9))
    return [index * step for index in range(math.floor(highest / step * (1 + 1e-9)) + 1)]


def _mean(accounts: Iterable[BreakEven], questions: int, *, strong: bool) -> float:
    each = ((account.questions, account.strong_usd if strong else account.light_usd) for account in accounts)
    return sum(count * (usd or 0.0) for count, usd in each) / questions


def _share(before: CurvePoint, after: CurvePoint, questions: float) -> float:
    return (questions - before.questions) / (after.questions - before.questions)


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


def _added(one: TokenUse, other: TokenUse) -> TokenUse:
    return replace(
        one,
        calls=one.calls + other.calls,
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        cost_usd=one.cost_usd + other.cost_usd,
    )
