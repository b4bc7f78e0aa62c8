"""What clients add to the domain's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from toolwright.domain.call import Isolation
from toolwright.domain.events import Answered, Declined, Failed, SolveEvent
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Execution
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


@dataclass(frozen=True, slots=True)
class BatchCall:
    """One call of a batch; what its fields mean is told at `Client.execute`."""

    request_id: str
    """Comes back with the answer: 1 to 128 characters, unique among the calls that have no answer yet."""
    tool: str | ToolSource
    arguments: Mapping[str, Any] | None = None
    arguments_json: str | None = None
    limits: LimitsRequest | None = None
    idempotency_key: str = ""
    isolation: Isolation | None = None


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The answer to one call of a batch: exactly one of `execution` and `error` is set."""

    request_id: str
    execution: Execution | None = None
    """How the call ended. A tool that raises, hangs or dies is an execution."""
    error: ToolwrightError | None = None
    """What `Client.execute` would have raised."""


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
