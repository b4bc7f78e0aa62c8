"""How a call ended: decided outside the tool's process, never by what the tool says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from toolwright.domain.call import Isolation
from toolwright.domain.json_rules import JsonRules
from toolwright.domain.limits import Limits

_RESULT: Final = JsonRules(max_bytes=16 * 1024 * 1024)
"""As large as any ceiling on results may be set."""


class Status(StrEnum):
    """The verdict on one call."""

    SUCCESS = "SUCCESS"
    TOOL_ERROR = "TOOL_ERROR"
    """It raised."""
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    CRASHED = "CRASHED"
    """Killed by a signal, or ended with no result."""
    OUTPUT_LIMIT = "OUTPUT_LIMIT"
    """Killed for flooding stdout or stderr far beyond the cap."""
    RESULT_INVALID = "RESULT_INVALID"
    """The result is no JSON within the limits."""
    LOAD_ERROR = "LOAD_ERROR"
    """The source was refused, or has no such function."""
    PROTOCOL = "PROTOCOL"
    """The other side broke the framing; its container was thrown away."""
    INFRASTRUCTURE = "INFRASTRUCTURE"
    """Our fault; running it again is safe only if the tool is."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result. All three texts are untrusted."""

    type: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """What the call wrote to stdout or stderr: the kept bytes, and how many there were."""

    kept: bytes = b""
    total_bytes: int = 0

    @property
    def truncated(self) -> bool:
        """Whether bytes were dropped."""
        return self.total_bytes > len(self.kept)

    @property
    def text(self) -> str:
        """The kept bytes as text; what is no UTF-8 becomes U+FFFD."""
        return self.kept.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Usage:
    """What the call used, measured outside the tool's process."""

    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    peak_memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of the whole request went, in milliseconds."""

    queue_ms: float = 0.0
    """Waiting for a free place."""
    acquire_ms: float = 0.0
    """Getting a sandbox ready, once there was a place."""
    run_ms: float = 0.0
    """From sending the call to its end."""
    collect_ms: float = 0.0
    """Checking the result and writing the record."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What exactly ran, and where."""

    tool_digest: str = ""
    image_digest: str = ""
    runtime: str = ""
    container_id: str = ""
    verification_id: str = ""
    """Empty for source that was never verified."""
    isolation: Isolation | None = None
    """What the container belonged to. None: from a server that does not say."""
    computed_by: str = ""
    """The execution that computed the result, where it came from the exact-result cache; the rest is of that run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one call in a sandbox. Exactly one of `result_json` and `failure` is set."""

    status: Status
    result_json: str | None = None
    failure: Failure | None = None
    stdout: Output = field(default_factory=Output)
    stderr: Output = field(default_factory=Output)
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        """Keep "success" and "has a result" the same thing."""
        if (self.status is Status.SUCCESS) != (self.result_json is not None) or (
            (self.result_json is None) == (self.failure is None)
        ):
            raise ValueError(f"{self.status} with result {self.result_json!r} and failure {self.failure!r}")


@dataclass(frozen=True, slots=True)
class Execution:
    """One call as its caller sees it: the outcome, and all that can be traced about it."""

    execution_id: str
    outcome: Outcome
    limits: Limits
    timing: Timing
    provenance: Provenance

    @property
    def from_cache(self) -> bool:
        """Whether the result came from the exact-result cache, and nothing ran."""
        return bool(self.provenance.computed_by)

    @property
    def result(self) -> Any:  # noqa: ANN401 - the type of a JSON value
        """What the tool returned, as a JSON value; integers are exact. None where it did not succeed.

        Raises:
            JsonRefused: the server sent a result that is no JSON within the rules.
        """
        text = self.outcome.result_json
        return None if text is None else _RESULT.parse(text)
