"""When a tool has paid for itself, from costs by task."""

from __future__ import annotations

import pytest

from toolwright.domain.break_even import BreakEven, baseline_of, break_even_after, break_evens
from toolwright.domain.ledger import Part, Spent, TaskCosts

pytestmark = pytest.mark.unit

MADE, USED, ANSWERED = Spent(3, 0.42), Spent(20, 0.01, 0, 10), Spent(2, 0.022, 0, 2)


def account(assumed: float | None = None, **parts: Spent) -> BreakEven:
    """Return the account of a task with these parts."""
    costs = [TaskCosts("add", {Part(name): spent for name, spent in parts.items()})]
    (found,) = break_evens(costs, baseline_of(costs, assumed))
    return found


def test_means_come_from_what_was_spent() -> None:
    """C_make is all making; c_light and C_strong are means over questions, not over exchanges."""
    found = account(making=MADE, light=USED, strong=ANSWERED)
    assert (found.making_usd, found.questions, found.strong_questions) == (0.42, 10, 2)
    assert found.light_usd == pytest.approx(0.001)
    assert found.strong_usd == pytest.approx(0.011)
    assert (found.assumed, found.unknown) == (False, "")


@pytest.mark.parametrize(("questions", "paid"), [(42, False), (43, True), (1000, True)])
def test_a_tool_has_paid_off_from_its_break_even_on(questions: int, *, paid: bool) -> None:
    """Just before it more was spent than would have been without the tool, from then on less."""
    found = account(making=MADE, light=Spent(1, 0.001 * questions, 0, questions), strong=ANSWERED)
    assert found.after == 43
    assert found.paid_off is paid
    assert found.saved_usd is not None
    assert (found.saved_usd > 0) is paid


def test_a_strong_model_that_was_never_asked_is_said_to_be() -> None:
    """No figure is made up."""
    found = account(making=MADE, light=USED)
    assert found.unknown == "not measured: no question of this kind was answered by the strong model"
    assert (found.after, found.paid_off, found.saved_usd, found.strong_usd) == (None, None, None, None)


def test_a_baseline_by_hand_is_marked() -> None:
    """And never takes the place of a measured one."""
    assert account(0.011, making=MADE, light=USED).assumed
    assert account(0.011, making=MADE, light=USED).after == 43
    measured = account(0.5, making=MADE, light=USED, strong=ANSWERED)
    assert not measured.assumed
    assert measured.strong_usd == pytest.approx(0.011)


def test_a_tool_that_nobody_asked_yet() -> None:
    """What a question takes with it is not known."""
    found = account(making=MADE, strong=ANSWERED)
    assert (found.light_usd, found.unknown) == (None, "not known: no question was given to the tool yet")


@pytest.mark.parametrize("part", ["making", "light", "strong"])
def test_unknown_prices_leave_it_undecided(part: str) -> None:
    """Amounts that are too low must not decide anything."""
    parts = {"making": MADE, "light": USED, "strong": ANSWERED}
    parts[part] = Spent(parts[part].calls, parts[part].cost_usd, 1, parts[part].questions)
    found = account(None, **parts)
    assert found.unknown
    assert (found.after, found.paid_off, found.saved_usd) == (None, None, None)


def test_a_baseline_by_hand_helps_where_the_strong_model_has_no_price() -> None:
    """It stands for what was not known."""
    found = account(0.011, making=MADE, light=USED, strong=Spent(2, 0.0, 2, 2))
    assert (found.assumed, found.after, found.unpriced_calls) == (True, 43, 0)


@pytest.mark.parametrize("light", [0.011, 0.02])
def test_a_tool_that_saves_nothing_never_pays_off(light: float) -> None:
    """Known, and no."""
    found = account(making=MADE, light=Spent(1, light, 0, 1), strong=Spent(1, 0.011, 0, 1))
    assert (found.after, found.paid_off, found.unknown) == (None, False, "")


def test_questions_without_a_task_or_a_tool_have_no_account() -> None:
    """What fitted nothing, and what only the strong model answered, is no tool's."""
    costs = [TaskCosts("", {Part.OTHER: USED}), TaskCosts("miss", {Part.STRONG: ANSWERED})]
    assert break_evens(costs, baseline_of(costs)) == ()


@pytest.mark.parametrize(("making", "after"), [(0.0, 1), (0.009, 1), (0.010, 2), (0.019, 2)])
def test_break_even_is_the_first_question_that_is_cheaper(making: float, after: int) -> None:
    """Equal is not cheaper."""
    assert break_even_after(making, 0.0, 0.010) == after
