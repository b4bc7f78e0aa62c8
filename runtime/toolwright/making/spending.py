"""What a making has spent, and may: attempts, tokens, money, seconds. What is spent first ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from toolwright.domain.job import Budget, join_use, spending
from toolwright.domain.record import TokenUse
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply
from toolwright.llm.ledger import Meter

ATTEMPTS, TOKENS, MONEY, SECONDS = "attempts", "tokens", "money", "seconds"
_ALMOST_S = 0.05
"""A call that is ended by the deadline of the budget comes back a little before it, as clocks are read."""


class BudgetEnded(Exception):
    """A budget is spent; nothing more is begun. Says `which`."""

    def __init__(self, which: str) -> None:
        super().__init__(f"the budget of {which} is spent")
        self.which = which


@dataclass(slots=True)
class Spending:
    """One making's budget, and what of it is spent; earlier servers' part included. Safe to use from many threads."""

    budget: Budget
    meter: Meter
    """Counts what is spent from now on."""
    begun: int = 0
    """Attempts that were begun."""
    token_use_before: tuple[TokenUse, ...] = ()
    seconds_before: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.clock()

    @property
    def token_use(self) -> tuple[TokenUse, ...]:
        """Sums of all exchanges, by role and model."""
        return join_use(self.token_use_before, self.meter.tokens())

    @property
    def seconds(self) -> float:
        """How long the making has been worked on."""
        return self.seconds_before + self.clock() - self._start

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the budget of time is spent, not below 0; None without one."""
        return max(0.0, self.budget.seconds - self.seconds) if self.budget.seconds else None

    @property
    def is_out_of_time(self) -> bool:
        """Whether a deadline that passed just now was the budget's."""
        left = self.seconds_left
        return left is not None and left <= _ALMOST_S

    @property
    def spent(self) -> Budget:
        """What was spent so far."""
        return spending(self.begun, self.token_use, self.seconds)

    def begin(self, most: int) -> Sequence[int]:
        """Return the numbers of the next attempts, `most` of them unless the budget has fewer left.

        Raises:
            BudgetEnded: one of the budgets is spent.
        """
        self.check()
        last = min(self.begun + most, self.budget.attempts)
        numbers = range(self.begun + 1, last + 1)
        if not numbers:
            raise BudgetEnded(ATTEMPTS)
        self.begun = last
        return numbers

    def check(self) -> None:
        """Let an exchange with a model begin, if there is something left for it.

        Raises:
            BudgetEnded: there is not.
        """
        budget, spent = self.budget, self.spent
        for which, most, so_far in (
            (TOKENS, budget.tokens, spent.tokens),
            (MONEY, budget.cost_usd, spent.cost_usd),
            (SECONDS, budget.seconds, spent.seconds),
        ):
            if most and so_far >= most:
                raise BudgetEnded(which)

    def report(self, which: str) -> str:
        """Return in words that the budget `which` is spent, and what the making took."""
        budget, spent = self.budget, self.spent
        bound = {
            ATTEMPTS: f"{budget.attempts} attempts",
            TOKENS: f"{budget.tokens} tokens",
            MONEY: f"${budget.cost_usd:g}",
            SECONDS: f"{budget.seconds:g} s",
        }[which]
        took = f"{spent.tokens} tokens, ${spent.cost_usd:.4g}, {spent.seconds:.1f} s"
        return f"the budget of {bound} is spent; it took {took}"


@dataclass(frozen=True, slots=True)
class BudgetedModel:
    """Adds to any `ChatModel`: no exchange is begun once a budget is spent. One under way is paid to its end."""

    base: ChatModel
    spending: Spending

    @property
    def name(self) -> str:
        """Model name as the endpoint knows it."""
        return self.base.name

    def complete(
        self,
        messages: Sequence[Message],
        *,
        functions: Sequence[FunctionSpec] = (),
        required: bool = False,
        task: str = "",
    ) -> Reply:
        """Send `messages` and return the reply; see `ChatModel.complete`.

        Raises:
            BudgetEnded: nothing was sent.
        """
        self.spending.check()
        return self.base.complete(messages, functions=functions, required=required, task=task)
