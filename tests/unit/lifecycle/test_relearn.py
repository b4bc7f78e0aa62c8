"""Failures that become examples: which, where, and which do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolwright.domain.feedback import ReportedFailure
from toolwright.domain.task import Example
from toolwright.lifecycle.relearn import task_with
from toolwright.registry.testing import sample_task

pytestmark = pytest.mark.unit


def failure(number: int, question: str = "", right: str = "") -> ReportedFailure:
    """Return a failure whose question and answer no other has."""
    return ReportedFailure(f"e{number}", "d", question or f"What is {number} + 10?", "0", right or str(number + 10))


def test_failures_go_to_both_kinds_in_turn() -> None:
    """The newest is the first that the maker sees; none is in both; examples of before stay."""
    task = sample_task()
    widened = task_with(task, [failure(number) for number in range(1, 6)])

    assert [example.question for example in widened.training] == [
        "What is 1 + 10?", "What is 1 + 2?", "What is 3 + 10?", "What is 5 + 10?",
    ]  # fmt: skip
    assert [example.question for example in widened.held_out] == [
        "What is 2 + 2?", "What is 2 + 10?", "What is 4 + 10?",
    ]  # fmt: skip
    assert widened.training[0].answer == "11"
    assert (widened.name, widened.description, widened.answer_kind) == (task.name, task.description, task.answer_kind)


def test_what_the_tool_is_made_from_stays() -> None:
    """A tool made from tools is made anew from them."""
    task = replace(sample_task(), uses=("half", "square@2"))
    assert task_with(task, [failure(1)]).uses == ("half", "square@2")


def test_a_question_that_is_an_example_already_is_left_out() -> None:
    """White space and case make no other question; nor does being reported twice."""
    repeated = [
        failure(1, "WHAT is  1 + 2?", "3"),
        failure(2, "what is 2 + 2?", "4"),
        failure(3),
        failure(4, "What is 3  + 10?", "13"),
    ]
    widened = task_with(sample_task(), repeated)

    assert len(widened.training) == 2
    assert len(widened.held_out) == 1


def test_disputed_and_shapeless_answers_are_left_out() -> None:
    """Two callers who differ prove nothing, and an answer that is no number can be none of this task's."""
    disputed = [failure(1), failure(2, "What is 1 + 10?", "12"), failure(3, right="thirteen"), failure(4, right="14")]
    widened = task_with(sample_task(), disputed)

    assert [example.question for example in widened.training] == ["What is 4 + 10?", "What is 1 + 2?"]
    assert task_with(sample_task(), disputed[:3]) == sample_task()


def test_the_same_answer_in_another_form_is_no_dispute() -> None:
    """11 and 11.0 are one number."""
    widened = task_with(sample_task(), [failure(1), failure(2, "What is 1 + 10?", "11.0")])

    assert widened.training[0] == Example("reported-e1", "What is 1 + 10?", "11")


def test_what_was_learned_is_not_learned_twice() -> None:
    """The widened task with the same failures again is itself."""
    failures = [failure(number) for number in range(1, 4)]
    once = task_with(sample_task(), failures)

    assert task_with(once, failures) == once
