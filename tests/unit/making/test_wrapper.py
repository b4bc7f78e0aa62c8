"""What goes into a wrapped tool."""

from __future__ import annotations

import json

from toolwright.calling.caller import Ending
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.domain.tool import Demonstration, Description
from toolwright.making.verdict import Trial
from toolwright.making.wrapper import MAX_DEMONSTRATION_CALL_CHARS, wrap

TASK = Task("sort", "Sort.", (Example("t", "b a?", "a b"),), (Example("h", "d c?", "c d"),), AnswerKind.TEXT)


def trial(arguments: object) -> Trial:
    """Return a training trial that passed with `arguments`."""
    return Trial(TASK.training[0], held_out=False, ending=Ending("a b", "", json.dumps(arguments)), passed=True)


def test_demonstrations_are_the_calls_that_were_right() -> None:
    """Question, call and answer of a training trial; a call too long to show each time is left out."""
    description = Description("Sorts.", "sort(words: list[str]) -> str", {"type": "object"})
    long = trial({"words": ["x" * MAX_DEMONSTRATION_CALL_CHARS]})
    version = wrap(TASK, ToolSource("# code", "sort"), description, [trial({"words": ["b", "a"]}), long])
    assert version.demonstrations == (Demonstration("b a?", '{"words": ["b", "a"]}', "a b"),)
    assert (version.name, version.task_description, version.answer_kind) == ("sort", "Sort.", AnswerKind.TEXT)
