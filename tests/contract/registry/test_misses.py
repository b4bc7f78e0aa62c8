"""Questions that no tool fits: every store counts, groups, answers and hands out makings in the same way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolwright.domain.miss import GroupState, Miss, Sketch
from toolwright.errors import NotFound
from toolwright.registry.base import Store

pytestmark = pytest.mark.contract

ONE = Sketch(frozenset({1}))
FIRST = Miss("0a", "default", "g1", "What is \0 1 \ud800?", 1, 10.0, 10.0)


def answered(store: Store, count: int, group: str = "g1") -> None:
    """Keep so many answered questions."""
    for number in range(count):
        miss = Miss(f"{group}{number}", "default", group, f"{group}: {number}?", 1, float(number), float(number))
        store.misses.add(miss, Sketch(frozenset({number})))
        store.misses.answer(miss.miss_id, str(number), by="strong model", at=5.0)


def test_the_same_question_counts_up(store: Store) -> None:
    """White space makes no other question; another tenant's is another. Any text is kept as it is."""
    misses = store.misses
    assert misses.ask_again("default", FIRST.question, at=11.0) is None
    assert misses.add(FIRST, Sketch(frozenset({7, 2**32 - 1}), b"abcd")) == FIRST
    again = misses.ask_again("default", f"  {FIRST.question}\n", at=12.0)
    assert again == replace(FIRST, count=2, last_at=12.0)
    assert misses.add(replace(FIRST, miss_id="0b", group_id="g2", last_at=13.0)).miss_id == "0a"
    assert misses.ask_again("other", FIRST.question, at=1.0) is None
    assert misses.sketches("default") == [(1, "g1", Sketch(frozenset({7, 2**32 - 1}), b"abcd"))]
    assert misses.sketches("default", after=1) == []
    (group,) = misses.list_groups("default")
    assert (group.group_id, group.misses, group.asked, group.answered) == ("g1", 1, 3, 0)
    assert group.state is GroupState.OPEN


def test_answers(store: Store) -> None:
    """A later answer takes the place of an earlier one; what is not there is said."""
    store.misses.add(FIRST)
    store.misses.answer("0a", "4", by="strong model", at=20.0)
    kept = store.misses.answer("0a", "5\0", by="Ada", at=21.0)
    assert (kept.answer, kept.answered_by, kept.answered_at) == ("5\0", "Ada", 21.0)
    assert store.misses.answered("g1") == [kept] == [store.misses.get("0a")]
    assert store.misses.group("g1").answered == 1
    for there in (
        lambda: store.misses.get("x"),
        lambda: store.misses.group("x"),
        lambda: store.misses.answer("x", "", by="", at=0),
    ):
        with pytest.raises(NotFound):
            there()


def test_pages(store: Store) -> None:
    """Groups and questions come by id, a page at a time."""
    answered(store, 3)
    answered(store, 1, "g2")
    assert [group.group_id for group in store.misses.list_groups("default", limit=1)] == ["g1"]
    assert [group.group_id for group in store.misses.list_groups("default", after="g1")] == ["g2"]
    assert [miss.miss_id for miss in store.misses.list_misses("g1", limit=2)] == ["g10", "g11"]
    assert [miss.miss_id for miss in store.misses.list_misses("g1", after="g11")] == ["g12"]
    assert [miss.miss_id for miss in store.misses.answered("g1", skip=1, limit=1)] == ["g11"]


def test_one_making_a_group(store: Store) -> None:
    """Enough answers make a group due; one owner has it until the lease ends, and alone may end it."""
    answered(store, 2)
    misses = store.misses
    assert misses.due("default", needed=3, now=100.0) == []
    assert [group.group_id for group in misses.due("default", needed=2, now=100.0)] == ["g1"]
    assert misses.claim("g1", "one", now=100.0, until=110.0)
    assert not misses.claim("g1", "two", now=105.0, until=115.0)
    assert misses.claim("g1", "one", now=105.0, until=115.0)
    assert misses.due("default", needed=2, now=114.0) == []
    assert misses.group("g1").state is GroupState.MAKING
    assert misses.claim("g1", "two", now=115.0, until=130.0)
    assert not misses.settle("g1", "one", GroupState.MADE, tool="a@1")
    assert misses.settle("g1", "two", GroupState.UNMAKEABLE, failure="\0no", not_before=200.0, cost_usd=0.5)
    group = misses.group("g1")
    assert (group.state, group.attempts, group.failure, group.cost_usd) == (GroupState.UNMAKEABLE, 1, "\0no", 0.5)
    assert not misses.claim("g1", "three", now=199.0, until=300.0)
    assert misses.claim("g1", "three", now=200.0, until=300.0)
    assert misses.settle("g1", "three", GroupState.OPEN, cost_usd=0.25)
    assert misses.group("g1").attempts == 1
    assert misses.claim("g1", "three", now=201.0, until=300.0)
    assert misses.settle("g1", "three", GroupState.MADE, tool="a@1", cost_usd=0.25)
    group = misses.group("g1")
    assert (group.state, group.tool, group.attempts, group.cost_usd) == (GroupState.MADE, "a@1", 2, 1.0)
    assert misses.due("default", needed=2, now=1e9) == []


def test_names_are_given_once_and_held_until_there_is_a_tool(store: Store) -> None:
    """No two groups have one name, and a group keeps its own."""
    answered(store, 1)
    answered(store, 1, "g2")
    misses = store.misses
    assert misses.name_group("g1", "add", "Sums.\0")
    assert not misses.name_group("g1", "other", "")
    assert not misses.name_group("g2", "add", "")
    assert misses.name_group("g2", "sub", "")
    assert misses.held_names() == {"add", "sub"}
    assert misses.claim("g1", "one", now=1.0, until=2.0)
    assert misses.settle("g1", "one", GroupState.MADE, tool="add@1")
    assert misses.held_names() == {"sub"}
    assert misses.group("g1").description == "Sums.\0"


def test_old_questions_are_forgotten_but_not_those_being_used(store: Store) -> None:
    """The ones not asked for longest go first."""
    answered(store, 3)
    answered(store, 3, "g2")
    assert store.misses.claim("g2", "one", now=1.0, until=2.0)
    assert store.misses.prune("default", keep=6) == 0
    assert store.misses.prune("default", keep=4) == 2
    assert [miss.miss_id for miss in store.misses.list_misses("g1")] == ["g12"]
    assert len(store.misses.list_misses("g2")) == 3


def test_a_group_of_which_nothing_is_left_is_forgotten(store: Store) -> None:
    """It goes with its sketches, unless a making was begun for it; no number is used twice."""
    misses = store.misses
    for number in range(6):
        misses.add(
            replace(FIRST, miss_id=f"m{number}", group_id=f"g{number}", question=f"{number}", last_at=number), ONE
        )
    assert misses.name_group("g1", "add", "Sums.")
    assert misses.prune("default", keep=2) == 4
    assert [group.group_id for group in misses.list_groups("default")] == ["g1", "g4", "g5"]
    assert [group for _, group, _ in misses.sketches("default")] == ["g1", "g4", "g5"]
    before = max(number for number, _, _ in misses.sketches("default"))
    assert misses.prune("default", keep=0) == 2
    misses.add(replace(FIRST, miss_id="m9", group_id="g9", question="9"), ONE)
    assert [group for _, group, _ in misses.sketches("default", after=before)] == ["g9"]
    assert misses.group("g9").misses == 1
