"""`toolwright misses`, `tools search`, and the two ways of measuring dispatch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from toolwright.cli.eval_dispatch import Chosen, best_threshold
from toolwright.cli.testing import USER_USE, FakeWorld, RunCli, answered, tool_info
from toolwright.domain.events import Answered, Dispatched, Missed, SolveEvent
from toolwright.domain.miss import GroupState, Miss, MissGroup
from toolwright.domain.record import Role, TokenUse
from toolwright.errors import StoreUnavailable

GROUP = MissGroup("g1", "", GroupState.UNMAKEABLE, "add", "Sums.", 1.0, 1, 2, 0, 1, "none of 5", 9.0, "", 0.5)
MISS = Miss("m1", "", "g1", "What is 1\x1b plus 2?", 2, 1.0, 2.0)
STRONG = TokenUse(Role.STRONG, "offline-strong", 1, 100, 10, 0.5)


@pytest.fixture
def world() -> FakeWorld:
    """Return a world with a group of one question, and a tool."""
    world = FakeWorld()
    world.services_.groups, world.services_.questions, world.services_.tools = [GROUP], [MISS], [tool_info()]
    return world


def test_groups_and_questions_are_shown(cli: RunCli) -> None:
    """Why nothing was made is said; texts of callers steer no terminal."""
    ran = cli("misses", "list", "--json")
    assert [group["state"] for group in ran.document["groups"]] == ["unmakeable"]
    ran = cli("misses", "show", "g1")
    assert ran.status == 0
    assert "none of 5" in ran.out
    assert "\x1b" not in ran.out
    assert cli("misses", "show", "g1", "--json").document["questions"][0]["answer"] is None
    assert cli("misses", "show", "nothing").status == 2


def test_a_person_answers(cli: RunCli, world: FakeWorld) -> None:
    """The answer arrives with the user's name; no tool is made in a process that ends at once."""
    ran = cli("misses", "answer", "m1", "3", "--json")
    assert ran.document["question"]["answer"] == "3"
    assert world.services_.questions[0].answered_by
    assert world.changes == {"dispatch": {"make_tools": False}}


def test_search(cli: RunCli) -> None:
    """What is found is listed; nothing found is status 1."""
    assert [tool["name"] for tool in cli("tools", "search", "sort_words", "--json").document["tools"]] == ["sort_words"]
    assert cli("tools", "search", "rivers").status == 1
    assert cli("tools", "search", "").status == 2


def questions(directory: Path, name: str, count: int) -> Path:
    """Write a file of questions whose answers are `a b`."""
    path = directory / f"{name}.jsonl"
    lines = [{"id": f"{n}", "question": f"{name} {n}?", "answer": "a b"} for n in range(count)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_a_stream_tells_hits_costs_and_goes_on(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """A fault ends it with what was asked on file; the next run asks only the rest."""
    asked: list[str] = []

    def solve(question: str) -> list[SolveEvent]:
        asked.append(question)
        if len(asked) == 9:
            raise StoreUnavailable("gone")
        if len(asked) <= 4:
            by_strong = Answered("a b", "", "", "", (STRONG,), "strong model")
            return [Dispatched("", "", "none"), Missed("g1", len(asked), 4), by_strong]
        return answered("a b")

    world.services_.solving = solve
    world.services_.groups = [replace(GROUP, state=GroupState.MADE, tool="sort_words@1")]
    paths, progress = [questions(tmp_path, "one", 6), questions(tmp_path, "two", 6)], tmp_path / "progress.jsonl"
    arguments = ("eval", "--stream", *paths, "--resume", progress, "--jobs", "1", "--json")
    assert cli(*arguments).status == 3
    document = cli(*arguments).document
    assert (document["resumed"], document["questions"], document["hits"]) == (8, 12, 8)
    assert len(asked) == 13
    assert document["accuracy"] == document["last_part"]["hit_rate"] == 1.0
    cost = document["cost"]
    assert cost["all_strong_usd"] == pytest.approx(6.0)
    assert cost["total_usd"] == pytest.approx(4 * 0.5 + 8 * USER_USE.cost_usd + 0.5)
    assert document["points"][-1]["cost_usd"] == pytest.approx(cost["total_usd"])
    assert cli(*arguments, "--seed", "7").status == 2


def test_the_dispatcher_is_measured(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """By the paper's protocol: the right tool of all, and none where the kind has no tool."""
    paths = [questions(tmp_path, name, 13) for name in ("one", "two", "three")]
    world.services_.solving = lambda question: [
        Dispatched(f"{name}@1", "", "", 80, name)
        if (name := question.split()[0]) in (world.services_.narrowed[-1][0])
        else Dispatched("", "", "", 60, "one")
    ]
    ran = cli("eval", "--dispatch", *paths, "--jobs", "1", "--json")
    assert ran.document["right_tool"] == {"questions": 9, "right": 9, "rate": 1.0}
    assert ran.document["new_tasks"]["rate"] == 1.0
    assert ran.document["new_tasks_unseen"]["questions"] == 3
    assert all(dispatch_only for _, dispatch_only in world.services_.narrowed)
    assert cli("eval", "--dispatch", *paths[:2]).status == 2
    assert cli("eval", "--dispatch", "--stream", *paths).status == 2


def test_the_best_threshold() -> None:
    """Between the confidence of wrong choices and that of right ones."""
    right = Chosen("a", unseen=False, tool="a", named="a", confidence=80)
    wrong = Chosen("b", unseen=True, tool="a", named="a", confidence=60)
    assert best_threshold([right, wrong]) == (71, 1.0)
