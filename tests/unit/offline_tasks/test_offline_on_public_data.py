"""All questions of the public data sets are recognised, read and answered right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolwright.llm.offline.tasks import TASKS


def test_all_public_questions_are_answered(public_tasks: Mapping[str, tuple[Any, ...]]) -> None:
    """Every one is claimed by its script alone, read, and answered as the data set says."""
    assert public_tasks.keys() == {script.kind for script in TASKS}
    for script in TASKS:
        for asked in public_tasks[script.kind]:
            assert [other.kind for other in TASKS if other.recognises(asked.question)] == [script.kind], asked.id
            assert script.read(asked.question) is not None, asked.id
            assert script.answer(asked.question) == asked.answer, asked.id
    assert sum(map(len, public_tasks.values())) == 1_500
