"""A run that was recorded comes to the same result again, with no model at all."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from tests.e2e.conftest import Command

pytestmark = pytest.mark.e2e

TASK = Path(__file__).resolve().parents[2] / "docs" / "examples" / "sort_words.toml"
QUESTION = "Sort the following words alphabetically: List: pear apple fig"


def _told(output: str) -> str:
    """What a run of the demonstration said, without what differs from run to run: times and ids."""
    return re.sub(r"\d+(\.\d+)? ?m?s\b|[0-9a-f]{12,}|\d{10}\.\d+|(?<=seconds\": )[\d.]+", "#", output)


@pytest.mark.slow
def test_the_demonstration_replays_to_the_same_result(toolwright: Command, tmp_path: Path) -> None:
    """The same tools, answers and token counts; what is asked for but was never recorded would be an error."""
    recording = tmp_path / "run.jsonl"

    first = toolwright("demo", "--questions", "1", "--json", "--record", recording)
    second = toolwright("demo", "--questions", "1", "--json", "--replay", recording)

    assert first.returncode == 0, first.stderr
    assert second.returncode == 0, second.stderr
    assert _told(second.stdout) == _told(first.stdout)
    assert stat.S_IMODE(recording.stat().st_mode) == 0o600


@pytest.mark.slow
def test_a_making_and_a_question_replay_without_settings(toolwright: Command, tmp_path: Path) -> None:
    """The recording alone says which models there were; a question that was not recorded is an error that names it."""
    recording, key = tmp_path / "run.jsonl", "sk-secret-of-this-test"
    for number, flag in enumerate(("--record", "--replay")):
        # with a key, one would be in the recording if any were
        environment = {} if number else {"TOOLWRIGHT_MODELS__OFFLINE": "true", "TOOLWRIGHT_MODELS__USER__API_KEY": key}
        common = ("--json", "--state-dir", tmp_path / f"state{number}", flag, recording)
        made = toolwright("make", TASK, *common, **environment)
        assert made.returncode == 0, made.stderr
        asked = toolwright("ask", QUESTION, *common, **environment)
        assert json.loads(asked.stdout)["answer"] == "apple fig pear", asked.stderr

    missing = toolwright("ask", "How is the weather?", *common)

    assert missing.returncode == 3
    error = json.loads(missing.stdout)["error"]
    assert error["reason"] == "MODEL_EXCHANGE_MISSING"
    assert "How is the weather?" in error["message"]
    assert "offline-dispatcher" in error["message"]
    assert key not in recording.read_text(encoding="utf-8")


def test_flags_of_models_are_not_for_a_running_server(toolwright: Command, tmp_path: Path) -> None:
    """Its own settings decide."""
    asked = toolwright("ask", "?", "--server", "127.0.0.1:1", "--record", tmp_path / "x", "--json")

    assert asked.returncode == 2
    assert "--record" in asked.stderr
