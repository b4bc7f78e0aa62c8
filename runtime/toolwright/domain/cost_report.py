"""What is asked about costs, and the whole answer. Money is in US dollars."""

from __future__ import annotations

import math
from dataclasses import dataclass

from toolwright.domain.break_even import BreakEven
from toolwright.domain.ledger import DEFAULT_POINTS, EVERYTHING, CostFilter, CostKey, CostSum, Series, check_points
from toolwright.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class CostQuestion:
    """Which exchanges to look at, and how."""

    by: tuple[CostKey, ...] = ()
    """Keys of the rows."""
    within: CostFilter = EVERYTHING
    points: int = DEFAULT_POINTS
    """Most points of the curve: 1 to 2,000."""
    baseline_usd: float | None = None
    """What the strong model is taken to cost for a question of a task where it was never asked one."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InvalidInput: names the field.
        """
        if len(set(self.by)) < len(self.by):
            raise InvalidInput("group_by", f"names {', '.join(self.by)}", "each key once")
        check_points(self.points)
        if self.baseline_usd is not None and not (math.isfinite(self.baseline_usd) and self.baseline_usd >= 0):
            raise InvalidInput("baseline_usd", f"is {self.baseline_usd}", "US dollars, 0 or more")


@dataclass(frozen=True, slots=True)
class HitRates:
    """How often questions found something that was there."""

    solves: int
    """Questions that came to an end."""
    by_tool: int
    """Of these, answered by a tool that was there before."""
    executions: int
    """Calls of tools that came to an end."""
    cached: int
    """Of these, answered with the exact result of an earlier call, without a run."""


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """What a model costs now."""

    model: str
    known: bool
    """Whether the price list names it; what follows is empty if not."""
    input_usd: float = 0.0
    """Per million tokens sent."""
    output_usd: float = 0.0
    """Per million tokens received."""
    as_of: str = ""
    """When that was noted, as `2026-03` or `2026-03-31`."""
    illustrative: bool = False
    """Whether nobody is billed by it."""
    outdated: bool = False
    """Whether that is longer ago than the settings take for current."""


@dataclass(frozen=True, slots=True)
class CostReport:
    """What the ledger holds of the exchanges that were asked for."""

    by: tuple[CostKey, ...]
    rows: tuple[CostSum, ...]
    """The dearest first."""
    rows_left_off: int
    total: CostSum
    break_evens: tuple[BreakEven, ...]
    """Of each task that has, or was to have, a tool; the dearest first."""
    break_evens_left_off: int
    series: Series
    hit_rates: HitRates | None
    """Since the registry began; None where nobody counts that."""
    prices: tuple[ModelPrice, ...]
    """Of each model that took part, by name."""
