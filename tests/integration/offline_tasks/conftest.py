"""Examples that the offline model's proposals are tried on: the demo's, and the public ones where they are at hand."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import pytest

from toolwright.domain.task import Example
from toolwright.llm.offline.tasks import script_for

_DEMO = files("toolwright.cli") / "demo_tasks"

Split = tuple[tuple[Example, ...], tuple[Example, ...], tuple[Example, ...]]
"""Training, held-out and remaining examples."""


def _split(text: str, training: int, first_held_out: int, held_out: int) -> Split:
    rows = tuple(Example(**json.loads(line)) for line in text.splitlines())
    end = first_held_out + held_out
    return rows[:training], rows[first_held_out:end], rows[end:]


@pytest.fixture(scope="session")
def demo_examples() -> Mapping[str, Split]:
    """The demo's examples by kind."""
    listing = tomllib.loads((_DEMO / "tasks.toml").read_text(encoding="utf-8"))
    found = {}
    for entry in listing["tasks"]:
        text = (_DEMO / entry["file"]).read_text(encoding="utf-8")
        split = _split(text, listing["training"], listing["training"], listing["held_out"])
        script = script_for(split[0][0].question)
        assert script is not None
        found[script.kind] = split
    return found


@pytest.fixture(scope="session")
def public_examples(public_data: Path) -> Mapping[str, Split]:
    """The public data sets by kind, split as in the paper. They are no part of the project."""
    files = sorted(public_data.glob("*.jsonl"))
    return {path.stem: _split(path.read_text(encoding="utf-8"), 3, 5, 5) for path in files}
