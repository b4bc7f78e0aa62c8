"""What messages and documentation tell people to type is a command that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from toolwright.cli.application import build_app

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
ADVICE = re.compile(r"`toolwright ([a-z][^`\n\"]*)[`\"\n]")
_GROUPS = {"images", "makings", "misses", "tools"}


def advice() -> Iterator[tuple[str, str]]:
    """Yield what stands in backticks, and where."""
    for path in (*sorted((ROOT / "runtime").rglob("*.py")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"):
        for found in ADVICE.finditer(path.read_text(encoding="utf-8")):
            yield found[1], str(path.relative_to(ROOT))


def problem(words: list[str], command: Any) -> str:
    """Return what is wrong with `words` as a line for `command`; empty if nothing is."""
    while getattr(command, "commands", None) and words and re.fullmatch("[a-z-]+", words[0]):
        name, *words = words
        names = name.split("|")
        if not all(one in command.commands for one in names):
            return f"no command {name!r}"
        command = command.commands[names[0]]
    known = {option for parameter in command.params for option in getattr(parameter, "opts", ())} | {"--help"}
    unknown = [word for word in (re.match("--[a-z-]+", word) for word in words) if word and word[0] not in known]
    return f"no option {unknown[0][0]!r}" if unknown else ""


def test_every_advice_is_a_command_with_its_options() -> None:
    """Each one in a message, a docstring or a page; groups may stand alone."""
    app = typer.main.get_command(build_app())
    found = list(advice())
    assert len(found) > 50
    for group in _GROUPS:
        assert any(line.startswith(f"{group} ") for line, _ in found)
    wrong = [f"{path}: toolwright {line}: {why}" for line, path in found if (why := problem(line.split(), app))]
    assert wrong == []


@pytest.mark.parametrize("line", ["tools verfy x", "tools verify --al", "nothing"])
def test_a_wrong_line_is_found(line: str) -> None:
    """The control: a command or an option that there is not."""
    assert problem(line.split(), typer.main.get_command(build_app()))
