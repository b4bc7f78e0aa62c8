"""The kinds of question that the offline model knows, one module each."""

from __future__ import annotations

from toolwright.llm.offline.tasks import brackets, meetings, orders, remainders, swaps, words
from toolwright.llm.offline.tasks.base import TaskScript

TASKS: tuple[TaskScript, ...] = (
    remainders.SCRIPT,
    brackets.SCRIPT,
    orders.SCRIPT,
    meetings.SCRIPT,
    swaps.SCRIPT,
    words.SCRIPT,
)


def script_for(question: str) -> TaskScript | None:
    """Return the script that recognises `question`, or None."""
    return next((script for script in TASKS if script.recognises(question)), None)


__all__ = ["TASKS", "TaskScript", "script_for"]
