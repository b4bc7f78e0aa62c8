"""What models cost, as a Protocol. `memory_ledger.py` and `sql_ledger.py` keep the same promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from toolwright.domain.ledger import EVERYTHING, Baseline, CostFilter, CostKey, CostSum, Series, TaskCosts
from toolwright.domain.record import ModelUse


class Ledger(Protocol):
    """All exchanges with models; none is ever changed. Reached as `Store.ledger`, and safe as that.

    A question is all exchanges of one `request_id` with the purpose `using`. Those that say no task or tool, which a
    dispatcher's cannot, count as those of the task and tool that their question was given to. An exchange of a light
    or strong model without a `request_id` is a question of its own.

    Numbers of calls and tokens are exact, whatever their size. Money is as `rounded_usd` says.

    Each method raises what `Store` says; a filter's text that no store can hold is refused with `InvalidInput`.
    """

    def add(self, use: ModelUse) -> None:
        """Keep one exchange. When this returns, a killed process has not lost it."""

    def file_under(self, label: str, task: str) -> None:
        """Count what was, and will be, spent on `label` as spent on `task`: questions come before their task's name.

        The last one said of a label holds. A task that is a label itself is not followed.
        """

    def sums(self, by: Sequence[CostKey] = (), within: CostFilter = EVERYTHING) -> Sequence[CostSum]:
        """Return one sum for each combination of values of `by` that occurs, by their key; of nothing, one for all."""

    def by_task(self, within: CostFilter = EVERYTHING) -> Sequence[TaskCosts]:
        """Return the costs of each task by part, by name."""

    def series(self, baseline: Baseline, *, points: int, within: CostFilter = EVERYTHING) -> Series:
        """Return the course of things in at most `points` points, each after about the same number of exchanges.

        Raises:
            InvalidInput: `points` is not between 1 and 2,000.
        """
