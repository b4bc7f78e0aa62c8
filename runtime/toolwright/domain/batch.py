"""Many calls sent at once, and the answer to each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from toolwright.domain.call import Isolation
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Execution
from toolwright.domain.source import ToolSource
from toolwright.errors import InvalidInput, ToolwrightError

MAX_ID_CHARS: Final = 128


def check_request_id(request_id: str) -> str:
    """Return `request_id` if a call of a batch may have it.

    Raises:
        InvalidInput: it is empty or too long.
    """
    if not 0 < len(request_id) <= MAX_ID_CHARS:
        raise InvalidInput("request_id", f"has {len(request_id)} characters", f"1 to {MAX_ID_CHARS}")
    return request_id


@dataclass(frozen=True, slots=True)
class BatchCall:
    """One call of a batch; what its other fields mean is told at `Client.execute`."""

    request_id: str
    """Comes back with the answer: 1 to 128 characters, unique among the calls that have no answer yet."""
    tool: str | ToolSource
    arguments: Mapping[str, Any] | None = None
    arguments_json: str | None = None
    limits: LimitsRequest | None = None
    idempotency_key: str = ""
    isolation: Isolation | None = None
    bypass_cache: bool = False


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The answer to one call of a batch: exactly one of `execution` and `error` is set."""

    request_id: str
    execution: Execution | None = None
    """How the call ended. A tool that raises, hangs or dies is an execution."""
    error: ToolwrightError | None = None
    """What `Client.execute` would have raised."""
