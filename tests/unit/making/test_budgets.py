"""Budgets: what is spent first ends the making, with a report, and nothing is admitted."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.unit.making.addition import GOOD, Bench, bench, block
from toolwright.calling.testing import ModelRequest, Scripted, StandIn, says
from toolwright.domain.events import Made, NotMade
from toolwright.domain.job import Budget
from toolwright.errors import DeadlineExceeded, InvalidInput
from toolwright.llm.ledger import Meter
from toolwright.making.journal import was_refused
from toolwright.making.spending import BudgetEnded, Spending

NEVER = says(block("# crashing\ndef add_numbers(a: int, b: int) -> int: ..."))


def ends(at: Bench, **options: Any) -> NotMade:
    """Make with a maker that never gets there, and return the end."""
    end = at.make(**options)[-1]
    assert isinstance(end, NotMade)
    assert not at.store.list_tools()
    assert at.making.failure == end.reason
    assert was_refused(at.making)
    return end


def test_attempts() -> None:
    """So many proposals, and the last refusal in the report."""
    end = ends(bench(*[NEVER] * 10), attempts=4)
    assert (end.ended_by, end.attempts) == ("attempts", 4)
    assert end.reason.startswith("none of 4 attempts passed: the budget of 4 attempts is spent; it took 1760 tokens, $")
    assert "IndexError: no 2 in the list" in end.reason


def test_tokens() -> None:
    """No exchange is begun once they are spent; the one that passes the bound is paid."""
    at = bench(*[NEVER] * 10)
    end = ends(at, budget=Budget(attempts=10, tokens=600))
    assert (end.ended_by, end.attempts) == ("tokens", 2)
    assert "the budget of 600 tokens is spent; it took 605 tokens" in end.reason
    assert "IndexError" in end.reason
    assert len(at.attempts) == 2
    assert "budget of tokens" in at.attempts[1].verdict


def test_money() -> None:
    """By the price list."""
    end = ends(bench(*[NEVER] * 10), budget=Budget(attempts=10, cost_usd=0.002))
    assert end.ended_by == "money"
    assert "the budget of $0.002 is spent" in end.reason


def test_seconds() -> None:
    """Between two exchanges, and within one that the sandbox runs."""

    def slow(_: ModelRequest) -> Scripted:
        time.sleep(0.15)
        return NEVER

    at = bench()
    at.maker.replies = slow
    end = ends(at, budget=Budget(attempts=10, seconds=0.4))
    assert end.ended_by == "seconds"
    assert 1 <= end.attempts <= 3
    assert "the budget of 0.4 s is spent" in end.reason


def test_the_callers_deadline_is_no_budget() -> None:
    """It is raised, as before."""

    def slow(_: ModelRequest) -> Scripted:
        time.sleep(0.1)
        return NEVER

    at = bench()
    at.maker.replies = slow
    with pytest.raises(DeadlineExceeded):
        at.make(deadline_s=0.2, budget=Budget(attempts=10, seconds=60.0))


def test_a_budget_that_suffices_changes_nothing() -> None:
    """The tool is made."""
    end = bench(says(GOOD)).make(budget=Budget(1, 10_000, 1.0, 60.0))[-1]
    assert isinstance(end, Made)


@pytest.mark.parametrize(
    ("budget", "candidates", "field"),
    [
        (Budget(11), 1, "attempts"),
        (Budget(1, -1), 1, "max_tokens"),
        (Budget(1, 0, float("nan")), 1, "max_cost_usd"),
        (Budget(1, 0, 0.0, float("inf")), 1, "max_seconds"),
        (Budget(1), 9, "candidates"),
        (Budget(1), 0, "candidates"),
    ],
)
def test_bad_budgets_are_refused_at_once(budget: Budget, candidates: int, field: str) -> None:
    """Before anything is kept or asked."""
    at = bench()
    with pytest.raises(InvalidInput, match=field):
        at.pipeline.make(at.task, budget=budget, candidates=candidates)
    assert not at.store.headings()


def test_what_was_spent_before_counts() -> None:
    """A making that is taken up again has what is left, not all of it anew."""
    now = [100.0]
    spending = Spending(Budget(3, 0, 0.0, 60.0), Meter(), begun=2, seconds_before=50.0, clock=lambda: now[0])
    assert spending.begin(2) == range(3, 4)
    with pytest.raises(BudgetEnded, match="attempts"):
        spending.begin(1)
    now[0] = 110.0
    assert spending.is_out_of_time
    with pytest.raises(BudgetEnded, match="seconds"):
        spending.check()


def test_a_tool_that_hangs_is_bounded_too() -> None:
    """Calls count by the clock, not by what they say of themselves."""

    def hang(a: int, b: int) -> int:
        time.sleep(0.1)
        return -1

    hanging = StandIn.of(hang, a="integer", b="integer")
    at = bench(*[says(block("# hanging"))] * 10, hanging=hanging)
    end = ends(at, budget=Budget(attempts=10, seconds=0.35))
    assert end.ended_by == "seconds"
