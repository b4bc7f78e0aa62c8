"""From groups of exchanges to the points of a curve, whatever store they come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from toolwright.domain.ledger import Baseline, Part, Series, SeriesPoint, rounded_usd


@dataclass(frozen=True, slots=True)
class Step:
    """The exchanges of one task and part within one step of time."""

    number: int
    """Of the step; ascending."""
    at: float
    """When the last of them ended."""
    task: str
    part: Part
    cost_usd: float
    questions: int
    """Questions that began."""


def series_of(steps: Iterable[Step], baseline: Baseline) -> Series:
    """Return the curve: one point a step that is compared. `steps` are ascending, and read once."""
    points: list[SeriesPoint] = []
    at, questions, making, tools, strong = 0.0, 0, 0.0, 0.0, 0.0
    left_questions, left_usd = 0, 0.0
    for _, group in groupby(steps, key=lambda step: step.number):
        compared = False
        for step in group:
            each = baseline.of(step.task)
            if each is None:
                left_questions += step.questions
                left_usd += step.cost_usd
                continue
            compared = True
            at = max(at, step.at)
            questions += step.questions
            making += step.cost_usd if step.part is Part.MAKING else 0.0
            tools += step.cost_usd
            strong += step.questions * each
        if compared:
            points.append(SeriesPoint(at, questions, rounded_usd(making), rounded_usd(tools), rounded_usd(strong)))
    return Series(tuple(points), left_questions, rounded_usd(left_usd))
