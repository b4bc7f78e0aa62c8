"""Who is told how calls of registered tools go. Told on the road of every call, so it must not hold one up."""

from __future__ import annotations

from typing import Protocol

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Status

BY_LIMIT = frozenset({Status.TIMEOUT, Status.OUT_OF_MEMORY, Status.OUTPUT_LIMIT, Status.RESULT_INVALID})
"""How a call ends that was not given enough. A caller may give any tool too little."""


class Watch(Protocol):
    """Hears of calls. Returns at once, never raises, and is safe to call from many threads."""

    def ended(self, tool_digest: str, request: ExecutionRequest, status: Status) -> None:
        """Hear that a call of a version ended, by a run or by a result that was known already."""

    def refused(self, tool_digest: str) -> None:
        """Hear that a light model gave a version arguments that its schema refuses. Nothing ran."""


class NoWatch:
    """A `Watch` that does not listen."""

    def ended(self, tool_digest: str, request: ExecutionRequest, status: Status) -> None:
        """Do nothing."""

    def refused(self, tool_digest: str) -> None:
        """Do nothing."""


def says_of_tool(request: ExecutionRequest, status: Status) -> bool:
    """Return whether `status` says anything of the tool: not our own fault, nor of limits that the caller lowered."""
    if status is Status.INFRASTRUCTURE:
        return False
    return not (status in BY_LIMIT and request.limits != LimitsRequest())
