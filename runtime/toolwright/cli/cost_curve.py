"""What the method saves: a dear tool made once and cheap requests, against a dear model for each request."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from toolwright.domain.record import Role, TokenUse


@dataclass(frozen=True, slots=True)
class CostCurve:
    """Two straight lines over the number of requests. All in US dollars."""

    making_usd: float
    """Spent once, before the first request."""
    light_usd: float
    """Each request with tools: the dispatcher and the light model."""
    strong_usd: float
    """Each request without tools: the strong model."""

    def light_after(self, requests: int) -> float:
        """Return the cost of so many requests with tools, making included."""
        return self.making_usd + self.light_usd * requests

    def strong_after(self, requests: int) -> float:
        """Return the cost of so many requests with the strong model alone."""
        return self.strong_usd * requests

    @property
    def break_even(self) -> int | None:
        """The first number of requests for which tools are the cheaper way; None if they never are."""
        saved = self.strong_usd - self.light_usd
        return math.floor(self.making_usd / saved) + 1 if saved > 0 else None

    @property
    def span(self) -> int:
        """A round number of requests that shows what happens before and after the break-even point."""
        wanted = max(10, 2 * (self.break_even or 50))
        unit = 10 ** math.floor(math.log10(wanted))
        return next(int(step * unit) for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * unit >= wanted)


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


def _added(one: TokenUse, other: TokenUse) -> TokenUse:
    return replace(
        one,
        calls=one.calls + other.calls,
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        cost_usd=one.cost_usd + other.cost_usd,
    )
