"""Exactly one script claims each question that is known, and none any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from toolwright.llm.offline.tasks import TASKS, script_for

KIND_OF_TASK = {
    "leftover_count": "chinese_remainder_theorem",
    "close_brackets": "dyck_languages",
    "order_clues": "logical_deduction_five_objects",
    "find_slot": "schedule_meeting",
    "follow_swaps": "tracking_shuffled_objects_five_objects",
    "sort_words": "word_sorting",
}
FOREIGN = [
    "What is 17 times 23?",
    "Who wrote the first novel about a submarine, and when?",
    "A shop sells five teas. Which is your favourite?\n(A) green tea\n(B) black tea",
    "Sort these numbers from small to large: 5 3 9",
    "Translate the following words into French: List: bread water",
    "Is f(x) = [x] continuous?",
    "The library is open 09:00 - 17:00. How many hours is that?",
    "Divide 100 by 7 and give the remainder.",
    "Ana and Ben swap recipes. What do they cook?",
    "List three synonyms of 'order'.",
]


def test_demo_questions_are_claimed_by_the_right_script_alone(demo_tasks: Mapping[str, Any]) -> None:
    """The demo's questions, in wordings of their own, are each of one kind."""
    assert demo_tasks.keys() == KIND_OF_TASK.keys()
    for name, task in demo_tasks.items():
        for asked in task.all:
            claims = [script.kind for script in TASKS if script.recognises(asked.question)]
            assert claims == [KIND_OF_TASK[name]], asked.id


@pytest.mark.parametrize("question", FOREIGN)
def test_foreign_questions_are_claimed_by_none(question: str) -> None:
    """What no script knows is left to be declined."""
    assert script_for(question) is None


def test_unfitting_demo_questions_are_claimed_by_none(unfitting: tuple[Any, ...]) -> None:
    """The demo shows how a question that no tool fits is declined."""
    assert len(unfitting) == 2
    assert [script_for(asked.question) for asked in unfitting] == [None, None]


def test_questions_are_recognised_within_other_spacing(demo_tasks: Mapping[str, Any]) -> None:
    """Spaces doubled and padding around the question change nothing."""
    for task in demo_tasks.values():
        question = task.training[0].question
        script = script_for(question)
        loose = f"\n  {question.replace(' ', '  ')}  \n"

        assert script is not None
        assert script_for(loose) is script
        assert script.answer(loose) == task.training[0].answer
