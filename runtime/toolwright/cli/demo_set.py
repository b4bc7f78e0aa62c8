"""The demonstration's own tasks and questions, as they come with the package."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from toolwright.cli.examples import read_json_lines
from toolwright.domain.task import AnswerKind, Example, Task

_DIRECTORY = Path(__file__).parent / "demo_tasks"


@dataclass(frozen=True, slots=True)
class DemoTask:
    """A task, and questions for its tool."""

    task: Task
    questions: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class DemoSet:
    """All that the demonstration asks."""

    tasks: tuple[DemoTask, ...]
    no_tool: tuple[str, ...]
    """Questions that are to be declined."""


def load_demo_set() -> DemoSet:
    """Return the tasks in `demo_tasks/`; see its `tasks.toml`."""
    table = tomllib.loads((_DIRECTORY / "tasks.toml").read_text(encoding="utf-8"))
    training, held_out = table["training"], table["held_out"]
    tasks = []
    for entry in table["tasks"]:
        examples = read_json_lines(_DIRECTORY / entry["file"])
        task = Task(
            name=entry["name"],
            description=entry["description"],
            training=examples[:training],
            held_out=examples[training : training + held_out],
            answer_kind=AnswerKind(entry["answer_kind"]),
        )
        tasks.append(DemoTask(task, examples[training + held_out :]))
    lines = (_DIRECTORY / table["no_tool"]).read_text(encoding="utf-8").splitlines()
    return DemoSet(tuple(tasks), tuple(json.loads(line)["question"] for line in lines if line.strip()))
