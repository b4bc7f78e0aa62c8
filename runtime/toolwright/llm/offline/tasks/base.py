"""What the offline model knows of one kind of question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FUNCTION_PLACEHOLDER = "{function}"


@dataclass(frozen=True, slots=True)
class TaskScript:
    """Scripted replies for one kind of question, as maker, as user and as strong model.

    `recognises`, `read` and `answer` take the bare text of a question and never raise.
    """

    kind: str
    """Name of the kind; a task or tool of this kind may be called otherwise."""
    recognises: Callable[[str], bool]
    """Whether a question is of this kind. At most one script recognises a question."""
    proposals: tuple[str, ...]
    """The maker's replies by attempt, with `FUNCTION_PLACEHOLDER` for the wanted name. The last one is right."""
    read: Callable[[str], dict[str, Any] | None]
    """The arguments of the right tool for a question; None if it cannot be read."""
    answer: Callable[[str], str]
    """The right answer to a question, as a strong model would give it; empty if it cannot be read."""

    def proposal(self, attempt: int, function: str) -> str:
        """Return the maker's reply after `attempt` earlier ones; beyond the script, the last one again."""
        reply = self.proposals[min(attempt, len(self.proposals) - 1)]
        return reply.replace(FUNCTION_PLACEHOLDER, function)
