"""What clients add to the domain's values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from toolwright.domain.events import Answered, Declined, Failed, SolveEvent
from toolwright.domain.record import VerificationRecord
from toolwright.domain.source import ToolSource
from toolwright.domain.tool import ToolInfo
from toolwright.errors import ToolwrightError

DEFAULT_TARGET: Final = "127.0.0.1:7433"


@dataclass(frozen=True, slots=True)
class ToolDetails:
    """A version with all that is known of it."""

    info: ToolInfo
    source: ToolSource
    """Untrusted text."""
    verification: VerificationRecord
    synonyms: tuple[str, ...] = ()
    """Names of tasks that the tool stands for besides its own."""
    dependants: tuple[str, ...] = ()
    """Versions made from it, as `name@number`; none of them runs while this one is not active."""


class NotAnswered(ToolwrightError):
    """The question has no answer: no tool fits it, or the one that fits gave none. Raised by `ask` only."""

    def __init__(self, event: Declined | Failed) -> None:
        """Carry the last `event` of solving."""
        super().__init__(event.reason)
        self.event = event


def answer_of(event: SolveEvent | None) -> Answered:
    """Return the last event of solving if it is an answer.

    Raises:
        NotAnswered: it is not.
    """
    match event:
        case Answered():
            return event
        case Declined() | Failed():
            raise NotAnswered(event)
        case _:
            raise NotAnswered(Failed("the server ended without an answer", "", None, ()))
