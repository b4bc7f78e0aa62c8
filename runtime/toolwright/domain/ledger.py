"""What the ledger is asked and what it answers: sums, costs by task, a curve's points. Money is in US dollars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from toolwright.domain.record import Role
from toolwright.errors import InvalidInput

MAX_POINTS = 2_000
DEFAULT_POINTS = 200
_DECIMALS = 12


def rounded_usd(amount: float) -> float:
    """Return a sum of money to 12 decimals.

    That loses nothing where prices per million tokens have at most 6 decimals, and hides the noise of adding doubles in
    one order or another. From about 9,000 dollars on a double itself is coarser.
    """
    return round(amount, _DECIMALS)


class CostKey(StrEnum):
    """By what exchanges can be summed."""

    ROLE = "role"
    MODEL = "model"
    TASK = "task"
    TOOL = "tool"
    TENANT = "tenant"
    PURPOSE = "purpose"


class Part(StrEnum):
    """What an exchange was for, when tools are compared with the strong model."""

    MAKING = "making"
    """Making a tool, or trying to."""
    LIGHT = "light"
    """The dispatcher and the light model, for a question that was given to a tool."""
    STRONG = "strong"
    """The strong model's own answer."""
    OTHER = "other"
    """Dispatching a question that was given to no tool."""


def part_of(purpose: str, role: str, answered_by: str) -> Part:
    """Return the part of an exchange; `answered_by` is the role that its question was given to, empty for none."""
    if purpose == "making":
        return Part.MAKING
    if role == Role.STRONG:
        return Part.STRONG
    return Part.LIGHT if answered_by == Role.USER else Part.OTHER


@dataclass(frozen=True, slots=True)
class CostFilter:
    """Which exchanges to look at; what is empty lets all through."""

    since: float | None = None
    """Seconds since 1970, UTC; this moment included."""
    until: float | None = None
    """This moment not included."""
    task: str = ""
    tool: str = ""
    """`name` for all its versions, or `name@number`."""
    tenant: str = ""


EVERYTHING = CostFilter()


@dataclass(frozen=True, slots=True)
class CostSum:
    """Sums over exchanges that are alike in what was asked by."""

    key: tuple[str, ...]
    """Their values, in the order asked; empty texts where nothing is known."""
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    """Of the exchanges whose price is known."""
    seconds: float = 0.0
    """Waited for models."""
    unpriced_calls: int = 0
    """Exchanges, of `calls`, with models that no price list names. Their true cost is not in `cost_usd`."""
    unpriced_tokens: int = 0
    """Tokens, sent and received, of those."""


def added(sums: Iterable[CostSum]) -> CostSum:
    """Return the sum of `sums`, without a key."""
    rows = list(sums)
    return CostSum(
        key=(),
        calls=sum(row.calls for row in rows),
        prompt_tokens=sum(row.prompt_tokens for row in rows),
        completion_tokens=sum(row.completion_tokens for row in rows),
        cost_usd=rounded_usd(sum(row.cost_usd for row in rows)),
        seconds=sum(row.seconds for row in rows),
        unpriced_calls=sum(row.unpriced_calls for row in rows),
        unpriced_tokens=sum(row.unpriced_tokens for row in rows),
    )


@dataclass(frozen=True, slots=True)
class Spent:
    """What one part of a task's exchanges came to."""

    calls: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    questions: int = 0
    """Different questions in `LIGHT` and `STRONG`; 0 elsewhere."""


@dataclass(frozen=True, slots=True)
class TaskCosts:
    """The exchanges of one task by part."""

    task: str
    """Empty for questions that came to no task."""
    parts: Mapping[Part, Spent] = field(default_factory=dict)

    def of(self, part: Part) -> Spent:
        """Return what `part` came to; nothing if there is none."""
        return self.parts.get(part, Spent())


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the strong model takes for one question, by task."""

    measured: Mapping[str, float] = field(default_factory=dict)
    assumed: float | None = None
    """For tasks that are not in `measured`; None leaves them out of the comparison."""

    def of(self, task: str) -> float | None:
        """Return what it takes for a question of `task`; None if that is not known."""
        return self.measured.get(task, self.assumed)


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """Where things stood at one moment, cumulative from the beginning of the window."""

    at: float
    """Seconds since 1970, UTC."""
    questions: int
    making_usd: float
    with_tools_usd: float
    """All that was spent, making included."""
    strong_usd: float
    """What the same questions would have taken with the strong model."""


@dataclass(frozen=True, slots=True)
class Series:
    """A curve of at most as many points as asked for, by time."""

    points: tuple[SeriesPoint, ...] = ()
    left_out_questions: int = 0
    """Questions of tasks without a baseline. Neither they nor what their tasks cost is in the points."""
    left_out_usd: float = 0.0


def check_points(points: int) -> int:
    """Return `points` if a curve may have so many.

    Raises:
        InvalidInput: it may not.
    """
    if not 1 <= points <= MAX_POINTS:
        raise InvalidInput("points", f"{points} is outside the allowed range", f"1 to {MAX_POINTS}")
    return points
