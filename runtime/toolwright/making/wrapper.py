"""Wrapping: verified code with all that a light model needs to call it."""

from __future__ import annotations

from collections.abc import Iterable

from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import Demonstration, Description, ToolVersion, dependencies_of
from toolwright.making.verdict import Trial

MAX_DEMONSTRATION_CALL_CHARS = 16_384
"""A longer call is left out: it would cost more in every later prompt than it shows."""


def wrap(task: Task, source: ToolSource, description: Description, passed: Iterable[Trial]) -> ToolVersion:
    """Return the version that is tried on held-out examples and then kept, byte for byte the same.

    The demonstrations are the calls that gave the right answers to the training examples.
    """
    demonstrations = tuple(
        Demonstration(trial.example.question, trial.ending.arguments_json, trial.example.answer)
        for trial in passed
        if len(trial.ending.arguments_json) <= MAX_DEMONSTRATION_CALL_CHARS
    )
    return ToolVersion(
        name=task.name,
        source=source,
        description=description,
        answer_kind=task.answer_kind,
        demonstrations=demonstrations,
        task_description=task.description,
        dependencies=dependencies_of(source),
    )
