"""The whole loop on the six public tasks of the paper: made, verified, and every remaining question answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Command

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


def test_all_public_questions_go_through_the_loop(toolwright: Command, public_data: Path) -> None:
    """Six tools from three examples each; 1,440 questions by dispatcher, function call and sandbox; all right."""
    files = sorted(public_data.glob("*.jsonl"))

    ended = toolwright("eval", *files, "--json")

    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert len(document["tasks"]) == 6
    assert {name: (task["n"], task["correct"]) for name, task in document["tasks"].items()} == dict.fromkeys(
        document["tasks"], (240, 240)
    )
    assert document["executions"] == 1_440
    assert document["calls_per_second"] > 0
    assert sorted(task["attempts"] for task in document["tasks"].values()) == [1, 1, 1, 2, 2, 2]
    assert "offline model" in document["model_note"]
