"""Tasks: what is hidden from a maker stays hidden, and a digest names what a tool was verified on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.errors import InvalidInput

TASK = Task(
    "add",
    "Add two numbers.",
    training=(Example("t1", "What is 1 + 2?", "3"), Example("t2", "What is\n5 + 6?", "11")),
    held_out=(Example("h1", "What is 2 + 2?", "4"),),
    answer_kind=AnswerKind.NUMBER,
)


@pytest.mark.parametrize(
    "question",
    [
        "What is 1 + 2?",
        "What is 1 + 2? ",
        " What is  1 + 2?",
        "What\tis 1\u00a0+ 2?\r\n",
        "WHAT IS 1 + 2?",
        "What is 5 + 6?",
    ],
)
def test_a_training_question_in_other_spacing_or_case_is_not_hidden(question: str) -> None:
    """The maker would know it, so it verifies nothing."""
    with pytest.raises(InvalidInput, match="'h1'") as caught:
        replace(TASK, held_out=(Example("h1", question, "3"),))

    assert "training example" in caught.value.problem


@pytest.mark.parametrize("question", ["What is 12?", "What is 1+2?", "What is 1 + 2", "What is 1 + 3?"])
def test_another_question_is_hidden(question: str) -> None:
    """Only white space and case are looked past, so that no honest example is refused."""
    assert replace(TASK, held_out=(Example("h1", question, "3"),)).held_out[0].question == question


def test_equal_tasks_have_one_digest() -> None:
    """The digest is that of the content; it is written down, since registries and clients keep it."""
    assert TASK.digest == replace(TASK).digest
    assert TASK.digest == "sha256:63414b297c34594bcf3b83f655dcc5f51813701dd256db7110b74226c662989f"


@pytest.mark.parametrize(
    "other",
    [
        replace(TASK, name="sub"),
        replace(TASK, description="Add."),
        replace(TASK, answer_kind=AnswerKind.TEXT),
        replace(TASK, training=TASK.training[:1]),
        replace(TASK, training=TASK.training[::-1]),
        replace(TASK, held_out=(replace(TASK.held_out[0], question="What is 2 + 3?"),)),
        replace(TASK, held_out=(replace(TASK.held_out[0], answer="5"),)),
        replace(TASK, held_out=(replace(TASK.held_out[0], id="h2"),)),
        replace(TASK, training=TASK.training[:1], held_out=(*TASK.held_out, TASK.training[1])),
    ],
)
def test_every_part_of_a_task_is_in_its_digest(other: Task) -> None:
    """A changed answer, or an example moved from training to held-out, is another task."""
    assert other.digest != TASK.digest


def test_odd_text_has_a_digest_too() -> None:
    """A description may hold what UTF-8 cannot."""
    assert replace(TASK, description="a\ud800\x00").digest.startswith("sha256:")
