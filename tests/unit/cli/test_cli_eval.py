"""`toolwright eval`: the split, the score, the statuses."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest

from toolwright.cli.evaluation import MAX_FAULTS_IN_A_ROW
from toolwright.cli.testing import MAKER_USE, USER_USE, FakeWorld, RunCli, answered, declined, tool_info
from toolwright.domain.events import NotMade, SolveEvent
from toolwright.errors import ModelUnavailable, Overloaded

pytestmark = pytest.mark.unit


def _written(path: Path, lines: int) -> Path:
    records = [
        {"id": f"{path.stem}-{n}", "question": f"{path.stem}: {n} + 1?", "answer": str(n + 1)} for n in range(lines)
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def right(world: FakeWorld) -> FakeWorld:
    """A world that answers every question right, each by an execution of its own."""
    numbers = count()

    def solve(question: str) -> list[SolveEvent]:
        return answered(str(int(question.split()[1]) + 1), f"x{next(numbers)}")

    world.services_.solving = solve
    return world


def test_scores_all_but_the_first_ten(cli: RunCli, right: FakeWorld, tmp_path: Path) -> None:
    """Lines 1-3 train, 6-10 verify, the rest is scored; the document has the fixed keys."""
    ran = cli("eval", _written(tmp_path / "add.jsonl", 30), "--json")
    document = ran.document
    assert ran.status == 0
    assert {key: document["tasks"]["add"][key] for key in ("n", "correct", "accuracy", "status")} == {
        "n": 20,
        "correct": 20,
        "accuracy": 1.0,
        "status": "COMPLETE",
    }
    (task,) = right.services_.made
    assert [example.id for example in task.training] == ["add-0", "add-1", "add-2"]
    assert [example.id for example in task.held_out] == [f"add-{n}" for n in range(5, 10)]
    assert len(right.services_.asked) == 20
    assert right.fresh_state is True


def test_cost_speed_and_note(cli: RunCli, right: FakeWorld, tmp_path: Path) -> None:
    """Costs of making and using are apart, calls are counted, and the offline model says what it is."""
    document = cli("eval", _written(tmp_path / "add.jsonl", 14), "--json").document
    assert document["cost"]["making_usd"] == pytest.approx(MAKER_USE.cost_usd)
    assert document["cost"]["using_usd"] == pytest.approx(4 * USER_USE.cost_usd)
    assert document["executions"] == 4
    assert document["calls_per_second"] > 0
    assert "not about any model" in document["model_note"]


def test_several_files_are_several_tasks(cli: RunCli, right: FakeWorld, tmp_path: Path) -> None:
    """One document holds all tasks; --limit holds for each."""
    paths = [_written(tmp_path / name, 20) for name in ("one.jsonl", "two.jsonl")]
    document = cli("eval", *paths, "--limit", "3", "--jobs", "2", "--json").document
    assert {name: task["n"] for name, task in document["tasks"].items()} == {"one": 3, "two": 3}
    assert (document["n"], document["correct"]) == (6, 6)


def test_wrong_answers_are_told_and_no_failure(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """An evaluation that ran to its end is status 0, whatever the accuracy."""
    world.services_.solving = lambda _: answered("0")
    ran = cli("eval", _written(tmp_path / "add.jsonl", 12), "--json")
    task = ran.document["tasks"]["add"]
    assert ran.status == 0
    assert (task["correct"], task["accuracy"]) == (0, 0.0)
    assert {key: task["wrong"][0][key] for key in ("id", "expected", "answer")} == {
        "id": "add-10",
        "expected": "11",
        "answer": "0",
    }


def test_declined_questions_are_wrong(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """No tool is no answer."""
    world.services_.solving = lambda _: declined()
    task = cli("eval", _written(tmp_path / "add.jsonl", 12), "--json").document["tasks"]["add"]
    assert (task["correct"], task["ends"]["declined"], task["executions"]) == (0, 2, 0)


def test_a_tool_that_cannot_be_made_is_status_1(cli: RunCli, right: FakeWorld, tmp_path: Path) -> None:
    """Its questions are not asked and count as wrong; other tasks go on."""
    right.services_.making = lambda task: [NotMade("no", 5, (MAKER_USE,))]
    ran = cli("eval", _written(tmp_path / "add.jsonl", 12), "--json")
    assert ran.status == 1
    task = ran.document["tasks"]["add"]
    assert (task["status"], task["n"], task["accuracy"], task["reason"]) == ("NOT_MADE", 2, 0.0, "no")
    assert right.services_.asked == []


def test_tools_that_are_there_are_used(cli: RunCli, right: FakeWorld, tmp_path: Path) -> None:
    """An active tool of the task's name is not made again."""
    right.services_.tools = [tool_info("add")]
    task = cli("eval", _written(tmp_path / "add.jsonl", 12), "--json").document["tasks"]["add"]
    assert (task["reused"], task["tool"]) == (True, "add@1")
    assert right.services_.made == []


def test_single_faults_are_counted_and_the_rest_goes_on(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """A question that met a fault of ours counts as wrong; the status is 3."""
    numbers = count()

    def solve(_: str) -> list[SolveEvent]:
        if next(numbers) == 1:
            raise Overloaded("busy", 1.0)
        return answered("0")

    world.services_.solving = solve
    ran = cli("eval", _written(tmp_path / "add.jsonl", 15), "--jobs", "1", "--json")
    assert ran.status == 3
    assert ran.document["tasks"]["add"]["status"] == "FAULTS"
    assert ran.document["tasks"]["add"]["ends"] == {"answered": 4, "declined": 0, "failed": 0, "fault": 1}


def test_a_dead_service_ends_the_evaluation(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """After some faults in a row the rest is not asked."""

    def solve(_: str) -> list[SolveEvent]:
        raise ModelUnavailable("gone")

    world.services_.solving = solve
    ran = cli("eval", _written(tmp_path / "add.jsonl", 100), "--jobs", "1", "--json")
    assert (ran.status, ran.document["error"]["reason"]) == (3, "MODEL_UNAVAILABLE")
    assert len(world.services_.asked) < 2 * MAX_FAULTS_IN_A_ROW


@pytest.mark.parametrize(
    ("name", "lines", "problem"),
    [("add.jsonl", 10, "at least 11"), ("No Name.jsonl", 20, "not a usable name")],
)
def test_files_that_cannot_be_scored_are_status_2(  # noqa: PLR0917 - fixtures and the case
    cli: RunCli, world: FakeWorld, tmp_path: Path, name: str, lines: int, problem: str
) -> None:
    """Too few questions and a bad name are refused before anything starts."""
    ran = cli("eval", _written(tmp_path / name, lines), "--json")
    assert ran.status == 2
    assert problem in ran.document["error"]["message"]
    assert world.options is None


def test_two_files_of_one_name_are_refused(cli: RunCli, tmp_path: Path) -> None:
    """A task is named after its file, so two files cannot have one name."""
    (tmp_path / "d").mkdir()
    ran = cli("eval", _written(tmp_path / "a.jsonl", 20), _written(tmp_path / "d" / "a.jsonl", 20), "--json")
    assert (ran.status, ran.document["error"]["limit"]) == (2, "one file a task, named after it")


def test_table_for_people(cli: RunCli, right: FakeWorld, tmp_path: Path) -> None:
    """A row a task, then the sums, the speed, and what the model is."""
    out = cli("eval", _written(tmp_path / "add.jsonl", 12)).out
    assert "100.0 %" in out
    assert "calls/s" in out
    assert "not about any model" in out
