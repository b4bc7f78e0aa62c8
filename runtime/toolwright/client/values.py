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


@dataclass(frozen=True, slots=True)
class ExportedTool:
    """A version as a signed file."""

    info: ToolInfo
    file: bytes
    """What to write, as it is, to a file whose name ends in `.tool.json`."""
    public_key: str
    """What another installation has to trust: `ed25519:…`."""


@dataclass(frozen=True, slots=True)
class ImportedTool:
    """What became of such a file."""

    info: ToolInfo
    """The tool as it was kept."""
    digest: str
    """Of the version in the file; the tool has the same one if it came out the same here."""
    key_id: str
    """Of the key that had signed it."""


@dataclass(frozen=True, slots=True)
class Reverified:
    """What came of verifying a version again."""

    passed: bool
    tool: ToolInfo
    """The version as it is now, or the one that took its place."""
    reason: str
    """Why it did not pass; empty if it did. Untrusted text."""


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
