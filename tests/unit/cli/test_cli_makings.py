"""`toolwright makings`, and the budget of `make`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolwright.cli.testing import FakeWorld, RunCli, making_info
from toolwright.domain.job import Budget, JobState

pytestmark = pytest.mark.unit


def test_list(cli: RunCli, world: FakeWorld) -> None:
    """All makings, or those of a task, or those that go on; in a table or as one document."""
    assert "No makings" in cli("makings", "list").out
    ended = making_info("m2", "other", state=JobState.FAILED, reason="spent\x1b[31m")
    world.services_.makings = [ended, making_info()]
    ran = cli("makings", "list")
    assert "m1" in ran.out
    assert "attempt 2" in ran.out
    assert "spent" in ran.out
    assert "\x1b" not in ran.out
    document = cli("makings", "list", "--open", "--json").document
    assert [(making["making_id"], making["state"]) for making in document["makings"]] == [("m1", "running")]
    assert document["makings"][0]["budget"]["attempts"] == 5
    assert len(cli("makings", "list", "--task", "other", "--json").document["makings"]) == 1


def test_show(cli: RunCli, world: FakeWorld) -> None:
    """State, budgets and attempts with their verdicts; hostile text in them is harmless."""
    world.services_.makings = [making_info()]
    ran = cli("makings", "show", "m1")
    for part in ("sort_words, running", "may spend 5 attempts, $20.00, 7200 s", "has spent 1 attempts", "attempt 1"):
        assert part in ran.out
    assert "\x1b" not in ran.out
    document = cli("makings", "show", "m1", "--json").document
    assert document["attempt_records"][0]["stage"] == "verify"
    assert cli("makings", "show", "m9").status == 2


def test_follow(cli: RunCli, world: FakeWorld) -> None:
    """The steps and the end, as `make` shows them."""
    world.services_.makings = [making_info()]
    ran = cli("makings", "follow", "m1", "--json")
    assert ran.status == 1
    assert (ran.document["making_id"], ran.document["ended_by"]) == ("m1", "cancelled")
    assert [event["event"] for event in ran.document["events"]] == ["started", "not_made"]


def test_cancel(cli: RunCli, world: FakeWorld) -> None:
    """The making as it is now, with the reason."""
    world.services_.makings = [making_info()]
    ran = cli("makings", "cancel", "m1", "--reason", "too dear")
    assert ran.status == 0
    assert "is to end" in ran.out
    assert "too dear" in ran.out
    assert cli("makings", "cancel", "m1", "--json").document["cancel_requested"]


def test_make_takes_a_budget(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """Tokens, money, seconds and candidates go with the request; what is not given is the server's."""
    task = tmp_path / "sort_words.json"
    examples = [{"question": f"Sort: {letter} a", "answer": f"a {letter}"} for letter in "bcdef"]
    task.write_text(json.dumps({"examples": examples}), encoding="utf-8")
    assert (
        cli("make", task, "--max-tokens", 1000, "--max-cost", 0.5, "--max-seconds", 60, "--candidates", 3).status == 0
    )
    cli("make", task)
    assert world.services_.budgets == [(Budget(0, 1000, 0.5, 60.0), 3), (Budget(), 0)]
    assert cli("make", task, "--candidates", 9).status == 2
