"""Questions for the offline model's readers: the demo's own, and the public data sets where they are at hand."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

_DEMO = files("toolwright.cli") / "demo_tasks"


@dataclass(frozen=True)
class Asked:
    """A question with its right answer."""

    id: str
    question: str
    answer: str


@dataclass(frozen=True)
class DemoTask:
    """One of the demo's tasks."""

    name: str
    description: str
    answer_kind: str
    training: tuple[Asked, ...]
    held_out: tuple[Asked, ...]
    questions: tuple[Asked, ...]

    @property
    def all(self) -> tuple[Asked, ...]:
        """Everything asked in it."""
        return self.training + self.held_out + self.questions


def _rows(text: str) -> tuple[Asked, ...]:
    return tuple(Asked(**json.loads(line)) for line in text.splitlines())


@pytest.fixture(scope="session")
def demo_tasks() -> Mapping[str, DemoTask]:
    """The demo's tasks by name."""
    listing = tomllib.loads((_DEMO / "tasks.toml").read_text(encoding="utf-8"))
    first, second = listing["training"], listing["training"] + listing["held_out"]
    tasks = {}
    for entry in listing["tasks"]:
        rows = _rows((_DEMO / entry["file"]).read_text(encoding="utf-8"))
        tasks[entry["name"]] = DemoTask(
            entry["name"],
            entry["description"],
            entry["answer_kind"],
            rows[:first],
            rows[first:second],
            rows[second:],
        )
    return tasks


@pytest.fixture(scope="session")
def unfitting() -> tuple[Asked, ...]:
    """The demo's questions that no tool fits."""
    listing = tomllib.loads((_DEMO / "tasks.toml").read_text(encoding="utf-8"))
    return _rows((_DEMO / listing["no_tool"]).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def public_tasks(public_data: Path) -> Mapping[str, tuple[Asked, ...]]:
    """The public data sets by kind. They are no part of the project; without them the test is skipped."""
    files = sorted(public_data.glob("*.jsonl"))
    return {path.stem: _rows(path.read_text(encoding="utf-8")) for path in files}
