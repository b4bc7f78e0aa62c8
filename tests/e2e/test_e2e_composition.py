"""Two small tools, and a third one that is made from both: by the command line, offline."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

Command = Callable[..., "subprocess.CompletedProcess[str]"]
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "composition"


@pytest.mark.slow
def test_a_tool_is_made_from_two_others_and_answers(toolwright: Command, tmp_path: Path) -> None:
    """make, make, make, show, ask; without its parts the third one cannot be made, and the reason is told."""
    state = ("--state-dir", tmp_path / "state")
    early = toolwright("make", EXAMPLES / "is_palindrome.toml", *state, "--json")
    assert early.returncode == 2
    error = json.loads(early.stdout)["error"]
    assert (error["reason"], "task.uses[0]" in error["message"]) == ("NOT_FOUND", True)
    for name in ("lower_word", "reverse_word"):
        assert toolwright("make", EXAMPLES / f"{name}.toml", *state).returncode == 0
    made = toolwright("make", EXAMPLES / "is_palindrome.toml", *state, "--json")
    assert made.returncode == 0, made.stderr
    shown = json.loads(toolwright("tools", "show", "is_palindrome", *state, "--json").stdout)
    parts = {
        name: json.loads(toolwright("tools", "show", name, *state, "--json").stdout)
        for name in ("lower_word", "reverse_word")
    }
    assert shown["dependencies"] == [{"name": name, "digest": part["digest"]} for name, part in parts.items()]
    assert [part["dependants"] for part in parts.values()] == [["is_palindrome@1"]] * 2
    assert (shown["verification"]["passed"], set(shown["source"])) == (True, {"code", "function"})
    asked = toolwright("ask", "Is the word Racecar a palindrome?", *state, "--json")
    assert (asked.returncode, json.loads(asked.stdout)["answer"]) == (0, "yes")
