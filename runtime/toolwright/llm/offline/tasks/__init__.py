"""The kinds of question that the offline model knows, one module each."""

from __future__ import annotations

from toolwright.llm.offline.tasks import brackets, meetings, orders, palindromes, remainders, swaps, words
from toolwright.llm.offline.tasks.base import TaskScript

TASKS: tuple[TaskScript, ...] = (
    remainders.SCRIPT,
    brackets.SCRIPT,
    orders.SCRIPT,
    meetings.SCRIPT,
    swaps.SCRIPT,
    words.SCRIPT,
)

"""The kinds of the demo and of the paper."""

COMPOSED: tuple[TaskScript, ...] = palindromes.SCRIPTS
"""A kind whose tool is made from the tools of two smaller ones, `lower_word` and `reverse_word`, and these."""


def script_for(question: str) -> TaskScript | None:
    """Return the script that recognises `question`, or None."""
    return next((script for script in TASKS if script.recognises(question)), None)


__all__ = ["COMPOSED", "TASKS", "TaskScript", "script_for"]
