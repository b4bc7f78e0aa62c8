"""A task with the failures of its tool among its examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from toolwright.domain.answers import same_answer
from toolwright.domain.feedback import ReportedFailure
from toolwright.domain.task import MAX_EXAMPLES, Example, Task
from toolwright.errors import InvalidInput


def task_with(task: Task, failures: Sequence[ReportedFailure]) -> Task:
    """Return `task` with those `failures` as examples that can be ones.

    They go to training and to held-out examples in turn, each to one of them alone, and stand first in training:
    the maker is shown but a few. Left out are questions that are examples already, ones for which different answers
    were reported, and answers that have no form as an answer of the task.
    """
    usable = _usable(task, failures)
    to_training, to_held_out = usable[0::2], usable[1::2]
    return replace(
        task,
        training=tuple(_in_turn(to_training, task.training))[:MAX_EXAMPLES],
        held_out=(*task.held_out, *to_held_out)[:MAX_EXAMPLES],
    )


def _usable(task: Task, failures: Sequence[ReportedFailure]) -> list[Example]:
    there = {folded(example.question) for example in task.training + task.held_out}
    ids = {example.id for example in task.training + task.held_out}
    disputed = _disputed(task, failures)
    examples = []
    for failure in failures:
        question, name = folded(failure.question), f"reported-{failure.execution_id}"
        if question in there or question in disputed or name in ids:
            continue
        if not same_answer(task.answer_kind, failure.right, failure.right, failure.question):
            continue
        try:
            examples.append(Example(name, failure.question, failure.right))
        except InvalidInput:  # longer than examples may be, or no valid text
            continue
        there.add(question)
    return examples


def _disputed(task: Task, failures: Sequence[ReportedFailure]) -> set[str]:
    first: dict[str, ReportedFailure] = {}
    disputed: set[str] = set()
    for failure in failures:
        before = first.setdefault(folded(failure.question), failure)
        if not same_answer(task.answer_kind, before.right, failure.right, before.question):
            disputed.add(folded(failure.question))
    return disputed


def folded(question: str) -> str:
    """Return what two questions share that differ in white space and case alone."""
    return " ".join(question.split()).casefold()


def _in_turn(first: Sequence[Example], second: Sequence[Example]) -> Iterator[Example]:
    for pair in zip_longest(first, second):
        yield from (example for example in pair if example is not None)
