"""What every ledger promises: sums, costs by task, the points of a curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from toolwright.domain.ledger import Baseline, CostFilter, CostKey, Part, SeriesPoint, Spent
from toolwright.domain.record import Role
from toolwright.errors import InvalidInput
from toolwright.registry.base import Store
from toolwright.registry.testing import sample_use

pytestmark = pytest.mark.contract


def ask(store: Store, request_id: str, at: float, *, task: str = "add", tool: str = "add@1", usd: float = 0.25) -> None:
    """Keep one question: what the dispatcher and the light model took."""
    asked = {"request_id": request_id, "tenant": "acme"}
    store.ledger.add(sample_use(Role.DISPATCHER, task="", cost_usd=usd / 5, at=at, **asked))
    store.ledger.add(sample_use(Role.USER, task=task, tool=tool, cost_usd=usd, at=at + 0.5, **asked))


def keys(store: Store, *by: CostKey) -> Mapping[tuple[str, ...], int]:
    """Return the number of exchanges by key."""
    return {found.key: found.calls for found in store.ledger.sums(by)}


def test_sums_by_any_combination(store: Store) -> None:
    """A row for each combination that occurs, in its order, with exact sums."""
    for use in (
        sample_use(Role.USER, tenant="acme", seconds=1.0),
        sample_use(Role.USER, model="large", prompt_tokens=2**40 + 1, completion_tokens=5, cost_usd=0.25),
        sample_use(Role.USER, task="sub"),
        sample_use(Role.MAKER, purpose="making", cost_usd=2.0),
    ):
        store.ledger.add(use)

    assert keys(store, CostKey.ROLE, CostKey.TASK) == {("maker", "add"): 1, ("user", "add"): 2, ("user", "sub"): 1}
    assert keys(store, CostKey.TENANT) == {("",): 3, ("acme",): 1}
    assert keys(store, CostKey.PURPOSE, CostKey.MODEL) == {
        ("making", "small"): 1,
        ("using", "large"): 1,
        ("using", "small"): 2,
    }
    (total,) = store.ledger.sums()
    assert (total.key, total.calls, total.prompt_tokens, total.completion_tokens) == ((), 4, 2**40 + 301, 35)
    assert (total.cost_usd, total.seconds) == (3.25, 1.75)


def test_an_empty_ledger_has_no_rows(store: Store) -> None:
    """Not even one of nothing."""
    assert list(store.ledger.sums()) == []
    assert list(store.ledger.by_task()) == []
    assert store.ledger.series(Baseline(), points=5).points == ()


@pytest.mark.parametrize("size", [2**63 - 1, -(2**63 - 1), 2**32, 0xFFFFFFFF])
def test_sums_of_any_size_are_exact(store: Store, size: int) -> None:
    """An endpoint that lies about its tokens makes the costs neither unreadable nor inexact."""
    for extra in (0, -1 if size > 0 else 1, 0):
        store.ledger.add(sample_use(prompt_tokens=size + extra, completion_tokens=3, priced=False))

    (total,) = store.ledger.sums()
    assert total.prompt_tokens == 3 * size + (-1 if size > 0 else 1)
    assert total.unpriced_tokens == total.prompt_tokens + 9


def test_money_is_free_of_the_noise_of_adding(store: Store) -> None:
    """Ten times a tenth of a cent is a cent, in whatever order a database adds."""
    for _ in range(10):
        store.ledger.add(sample_use(cost_usd=0.001))

    assert store.ledger.sums()[0].cost_usd == 0.01


def test_unknown_prices_are_counted_apart(store: Store) -> None:
    """Tokens of models without a price are seen, and never pass for 0 dollars."""
    store.ledger.add(sample_use(cost_usd=0.5))
    store.ledger.add(sample_use(model="mystery", cost_usd=0.0, priced=False, request_id="r1"))

    (total,) = store.ledger.sums()
    assert (total.calls, total.prompt_tokens, total.completion_tokens) == (2, 200, 20)
    assert (total.cost_usd, total.unpriced_calls, total.unpriced_tokens) == (0.5, 1, 110)
    assert store.ledger.by_task()[0].of(Part.LIGHT) == Spent(2, 0.5, 1, 2)


def test_dispatching_counts_for_the_tool_that_was_chosen(store: Store) -> None:
    """A dispatcher knows no task when it is asked; its question does, later."""
    ask(store, "r1", 1.0)
    ask(store, "r2", 2.0, task="sub", tool="sub@3")
    store.ledger.add(sample_use(Role.DISPATCHER, task="", request_id="r3", at=3.0))

    assert keys(store, CostKey.ROLE, CostKey.TASK, CostKey.TOOL) == {
        ("dispatcher", "", ""): 1,
        ("dispatcher", "add", "add@1"): 1,
        ("dispatcher", "sub", "sub@3"): 1,
        ("user", "add", "add@1"): 1,
        ("user", "sub", "sub@3"): 1,
    }


def test_costs_by_task_and_part(store: Store) -> None:
    """Making with what failed, questions with their repairs, the strong model's answers, and what fitted nothing."""
    making = {"purpose": "making", "cost_usd": 2.0}
    store.ledger.add(sample_use(Role.MAKER, **making))
    store.ledger.add(sample_use(Role.USER, request_id="r1", **making))  # made for a question: still no part of it
    ask(store, "r1", 1.0)
    store.ledger.add(sample_use(Role.USER, request_id="r1", cost_usd=0.25))
    ask(store, "r2", 2.0)
    for request_id in ("r3", "r3", "r4", ""):
        store.ledger.add(sample_use(Role.STRONG, request_id=request_id, cost_usd=1.5))
    store.ledger.add(sample_use(Role.DISPATCHER, task="", request_id="r4", cost_usd=0.5))
    store.ledger.add(sample_use(Role.DISPATCHER, task="", request_id="r5", cost_usd=0.125))

    nothing, add = store.ledger.by_task()

    assert (nothing.task, dict(nothing.parts)) == ("", {Part.OTHER: Spent(1, 0.125)})
    assert add.task == "add"
    assert dict(add.parts) == {
        Part.MAKING: Spent(2, 4.0),
        Part.LIGHT: Spent(5, 0.85, 0, 2),
        Part.STRONG: Spent(4, 6.0, 0, 3),
        Part.OTHER: Spent(1, 0.5),
    }


def test_a_question_that_its_tool_failed_counts_for_both(store: Store) -> None:
    """It was given to the tool and to the strong model, and is one question on the curve."""
    ask(store, "r1", 1.0)
    store.ledger.add(sample_use(Role.STRONG, task="other", request_id="r1", cost_usd=1.0, at=2.0))

    add, other = store.ledger.by_task()

    assert (add.of(Part.LIGHT).questions, other.of(Part.STRONG).questions) == (1, 1)
    assert store.ledger.series(Baseline(assumed=1.0), points=9).points[-1].questions == 1


def test_what_was_spent_under_a_label_counts_for_its_task(store: Store) -> None:
    """Before and after it is said; in sums, accounts, filters and the curve; the last word holds."""
    answer = {"task": "group-7", "cost_usd": 1.0}
    store.ledger.add(sample_use(Role.DISPATCHER, task="", request_id="s1", cost_usd=0.25))
    store.ledger.add(sample_use(Role.STRONG, request_id="s1", **answer))
    store.ledger.file_under("group-7", "sub")
    store.ledger.file_under("group-7", "add")
    store.ledger.add(sample_use(Role.STRONG, request_id="s2", **answer))
    ask(store, "r1", 5.0)

    (add,) = store.ledger.by_task()

    assert (add.task, add.of(Part.STRONG).questions, add.of(Part.LIGHT).questions) == ("add", 2, 1)
    assert add.of(Part.OTHER) == Spent(1, 0.25)
    assert keys(store, CostKey.TASK) == {("add",): 5}
    assert store.ledger.sums(within=CostFilter(task="add"))[0].calls == 5
    assert store.ledger.series(Baseline({"add": 1.0}), points=9).points[-1].strong_usd == 3.0
    with pytest.raises(InvalidInput, match=r"model_use_label\.label"):
        store.ledger.file_under("\0", "add")


def test_filters(store: Store) -> None:
    """By time, half open; by task, tool with or without version, and tenant."""
    ask(store, "r1", 1.0)
    ask(store, "r2", 2.0, tool="add@2")
    ask(store, "r3", 3.0, task="add_all", tool="add_all@1")

    def calls(**filters: Any) -> int:
        return sum(found.calls for found in store.ledger.sums(within=CostFilter(**filters)))

    assert (calls(), calls(task="add"), calls(tool="add"), calls(tool="add@2"), calls(tool="ad")) == (6, 4, 4, 2, 0)
    assert (calls(tool="a%"), calls(tool="add_al_"), calls(tenant="acme"), calls(tenant="other")) == (0, 0, 6, 0)
    assert (calls(since=2.0), calls(until=2.0), calls(since=2.0, until=3.0), calls(since=9.0)) == (4, 2, 2, 0)
    assert [found.task for found in store.ledger.by_task(CostFilter(since=3.0))] == ["add_all"]


@pytest.mark.parametrize(
    "within", [CostFilter(task="a\0"), CostFilter(tenant="\ud800"), CostFilter(since=float("nan"))]
)
def test_a_filter_that_no_store_could_hold_is_refused(store: Store, within: CostFilter) -> None:
    """Named, not failed on."""
    with pytest.raises(InvalidInput, match="costs"):
        store.ledger.sums(within=within)


def test_a_curve_compares_what_was_spent_with_what_would_have_been(store: Store) -> None:
    """Cumulative, by time, one point for each exchange where there is room; the baseline is each task's own."""
    store.ledger.add(sample_use(Role.MAKER, purpose="making", cost_usd=2.0, at=0.5))
    ask(store, "r2", 2.0, task="sub", usd=0.5)
    ask(store, "r1", 1.0)

    series = store.ledger.series(Baseline({"add": 1.0, "sub": 4.0}), points=100)

    assert series.points == (
        SeriesPoint(0.5, 0, 2.0, 2.0, 0.0),
        SeriesPoint(1.0, 1, 2.0, 2.05, 1.0),
        SeriesPoint(1.5, 1, 2.0, 2.3, 1.0),
        SeriesPoint(2.0, 2, 2.0, 2.4, 5.0),
        SeriesPoint(2.5, 2, 2.0, 2.9, 5.0),
    )
    assert (series.left_out_questions, series.left_out_usd) == (0, 0.0)


def test_tasks_without_a_baseline_are_left_out_of_both_sides(store: Store) -> None:
    """And said; an assumed baseline takes them in, questions without a task too."""
    ask(store, "r1", 1.0)
    ask(store, "r2", 2.0, task="sub", usd=0.5)
    store.ledger.add(sample_use(Role.DISPATCHER, task="", request_id="r3", cost_usd=0.1, at=3.0))

    measured = store.ledger.series(Baseline({"add": 1.0}), points=100)
    assumed = store.ledger.series(Baseline({"add": 1.0}, assumed=2.0), points=100)

    assert (measured.points[-1].questions, measured.points[-1].strong_usd) == (1, 1.0)
    assert (measured.left_out_questions, measured.left_out_usd) == (2, 0.7)
    assert (assumed.points[-1].questions, assumed.points[-1].strong_usd, assumed.left_out_usd) == (3, 5.0, 0.0)


@pytest.mark.parametrize("points", [1, 3, 7])
def test_a_curve_has_no_more_points_than_asked_for(store: Store, points: int) -> None:
    """However many exchanges there are; its end is exact."""
    for number in range(20):
        ask(store, f"r{number}", float(number))

    found = store.ledger.series(Baseline(assumed=1.0), points=points).points

    assert len(found) == points
    assert found[-1] == SeriesPoint(19.5, 20, 0.0, 6.0, 20.0)
    assert [point.questions for point in found] == sorted(point.questions for point in found)


@pytest.mark.parametrize("points", [0, -1, 2_001])
def test_a_number_of_points_that_is_off_is_refused(store: Store, points: int) -> None:
    """By its name."""
    with pytest.raises(InvalidInput, match="points"):
        store.ledger.series(Baseline(), points=points)


@pytest.mark.parametrize(
    "change", [{"tenant": "\0"}, {"tool": "\ud800"}, {"request_id": "\0"}, {"prompt_tokens": 2**63}]
)
def test_an_exchange_that_no_store_could_hold_is_refused(store: Store, change: dict[str, Any]) -> None:
    """Nothing is kept as something else."""
    with pytest.raises(InvalidInput, match=f"model_use.{next(iter(change))}"):
        store.ledger.add(sample_use(**change))
    assert list(store.ledger.sums()) == []
