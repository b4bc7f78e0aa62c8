"""The demo's tasks are complete, and their answers are right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolwright.domain.answers import check_expected, infer_kind
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.llm.offline.tasks import script_for


def test_every_answer_is_the_solvers(demo_tasks: Mapping[str, Any]) -> None:
    """The answers written down agree with solvers that share no code with the tools."""
    for task in demo_tasks.values():
        for asked in task.all:
            script = script_for(asked.question)
            assert script is not None, asked.id
            assert script.answer(asked.question) == asked.answer, asked.id


def test_each_task_can_be_made(demo_tasks: Mapping[str, Any]) -> None:
    """Each has the examples to make and verify a tool, and questions left to answer."""
    for entry in demo_tasks.values():
        training, held_out = (
            tuple(Example(a.id, a.question, a.answer) for a in part) for part in (entry.training, entry.held_out)
        )
        task = Task(entry.name, entry.description, training, held_out, AnswerKind(entry.answer_kind))

        assert (len(task.training), len(task.held_out), len(entry.questions)) == (3, 4, 5)
        assert infer_kind(training + held_out) is task.answer_kind
        check_expected(task.answer_kind, training + held_out)


def test_nothing_is_asked_twice(demo_tasks: Mapping[str, Any], unfitting: tuple[Any, ...]) -> None:
    """All ids and questions differ."""
    everything = [asked for task in demo_tasks.values() for asked in task.all] + list(unfitting)

    assert len({asked.id for asked in everything}) == len({asked.question for asked in everything}) == len(everything)
