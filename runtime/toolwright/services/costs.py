"""The whole answer to what models cost: from the ledger, the price list and the counts of answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Final

from toolwright.domain.break_even import BreakEven, baseline_of, break_evens
from toolwright.domain.cost_report import CostQuestion, CostReport, HitRates, ModelPrice
from toolwright.domain.ledger import CostKey, CostSum, added
from toolwright.llm.prices import PriceList
from toolwright.registry.base import Store

MAX_ROWS: Final = 1_000
"""A table that nobody reads to its end, and a reply that fits any client."""
_FULL_DATE: Final = len("2026-03-31")


class CostReports:
    """Answers from the ledger of a store. Safe to use from many threads."""

    def __init__(
        self,
        store: Store,
        prices: PriceList,
        *,
        price_max_age_days: int = 180,
        hit_rates: Callable[[], HitRates | None] = lambda: None,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        """Report on what is kept in `store`.

        Args:
            store: whose ledger.
            prices: what models cost now; what they did cost is in the ledger.
            price_max_age_days: after so many days a price is outdated.
            hit_rates: counts answers; None where nobody does.
            today: the day it is.
        """
        self._ledger, self._prices, self._max_age_days = store.ledger, prices, price_max_age_days
        self._hit_rates, self._today = hit_rates, today

    def report(self, asked: CostQuestion) -> CostReport:
        """Return what the ledger holds; see `services.base.Accounting`."""
        within = asked.within
        by_model = self._ledger.sums([CostKey.MODEL], within)
        rows = sorted(self._ledger.sums(asked.by, within), key=_dearest) if asked.by else ()
        costs = self._ledger.by_task(within)
        baseline = baseline_of(costs, asked.baseline_usd)
        accounts = sorted(break_evens(costs, baseline), key=_largest)
        return CostReport(
            by=asked.by,
            rows=tuple(rows[:MAX_ROWS]),
            rows_left_off=max(0, len(rows) - MAX_ROWS),
            total=added(by_model),
            break_evens=tuple(accounts[:MAX_ROWS]),
            break_evens_left_off=max(0, len(accounts) - MAX_ROWS),
            series=self._ledger.series(baseline, points=asked.points, within=within),
            hit_rates=self._hit_rates(),
            prices=tuple(self._price(model) for model in [found.key[0] for found in by_model[:MAX_ROWS]]),
        )

    def _price(self, model: str) -> ModelPrice:
        price = self._prices.of(model)
        outdated = bool(price.as_of) and not price.illustrative and self._age_days(price.as_of) > self._max_age_days
        return ModelPrice(
            model, price.known, price.input_usd, price.output_usd, price.as_of, price.illustrative, outdated
        )

    def _age_days(self, as_of: str) -> int:
        noted = date.fromisoformat(as_of if len(as_of) == _FULL_DATE else f"{as_of}-01")
        return (self._today() - noted).days


def _dearest(found: CostSum) -> tuple[float, tuple[str, ...]]:
    return -found.cost_usd, found.key


def _largest(account: BreakEven) -> tuple[float, str]:
    return -(account.making_usd + account.questions * (account.light_usd or 0.0)), account.task
