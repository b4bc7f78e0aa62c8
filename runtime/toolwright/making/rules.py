"""Bounds of makings, as the operator sets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from toolwright.domain.job import Budget
from toolwright.errors import InvalidInput
from toolwright.making.pipeline import DEFAULT_ATTEMPTS

_BUDGET: Final = Budget(attempts=DEFAULT_ATTEMPTS)


@dataclass(frozen=True, slots=True)
class Rules:
    """Bounds of makings, as the operator sets them."""

    budget: Budget = _BUDGET
    """Its number of attempts holds where a request names none; all else is what a request has that asks for nothing,
    and may not go beyond. 0: no bound."""
    candidates: int = 1
    """Proposals at a time, where a request names none."""
    max_running: int = 4
    """Makings at one time on this server."""
    max_queue: int = 16
    """Makings that may wait, on all servers of the registry together."""
    lease_s: float = 30.0
    """Seconds after which another server may take up what this one works on, unless it renews."""
    adopt: bool = True
    """Whether to take up any job of the registry, or only those that were asked for here."""

    def bounded(self, asked: Budget) -> Budget:
        """Return `asked` with the bounds of these rules where it has none.

        Raises:
            InvalidInput: it goes beyond one.
        """
        most = self.budget
        for field, value, bound in (
            ("max_tokens", asked.tokens, most.tokens),
            ("max_cost_usd", asked.cost_usd, most.cost_usd),
            ("max_seconds", asked.seconds, most.seconds),
        ):
            if bound and value > bound:
                raise InvalidInput(field, f"is {value:g}", f"at most {bound:g}, by the server's settings")
        return Budget(
            asked.attempts or most.attempts,
            asked.tokens or most.tokens,
            asked.cost_usd or most.cost_usd,
            asked.seconds or most.seconds,
        )
