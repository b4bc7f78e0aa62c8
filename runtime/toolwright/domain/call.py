"""One call: what to run, with which arguments, for whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.source import ToolSource

MAX_ARGUMENTS_BYTES = 1024 * 1024


class Isolation(StrEnum):
    """What a container belongs to. Each call is a fresh process with a uid of its own in all three.

    The strictest comes first.
    """

    CALL = "call"
    """A container for each call, destroyed after it."""
    TOOL = "tool"
    """A container belongs to one tenant and one tool digest."""
    TENANT = "tenant"
    """A container belongs to one tenant."""

    def is_weaker_than(self, other: Isolation) -> bool:
        """Whether calls share more with each other here than under `other`."""
        return _WEAKNESS[self] > _WEAKNESS[other]


_WEAKNESS = {level: place for place, level in enumerate(Isolation)}


class Operation(StrEnum):
    """What is done with the source in the sandbox."""

    CALL = "call"
    """Load it and call the function with the arguments."""
    DESCRIBE = "describe"
    """Load it and describe the function: see `domain.tool.Description`."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One run in a sandbox. `arguments_json` is a JSON object: the keyword arguments."""

    source: ToolSource
    arguments_json: str = "{}"
    limits: Limits = field(default_factory=Limits)
    operation: Operation = Operation.CALL


@dataclass(frozen=True, slots=True)
class ExecutionRequest:
    """A call as asked for: `target` is a tool reference (name, name@version, sha256:…) or bare source."""

    target: str | ToolSource
    arguments_json: str = "{}"
    limits: LimitsRequest = field(default_factory=LimitsRequest)
    operation: Operation = Operation.CALL
    tenant: str = "default"
    idempotency_key: str = ""
    purpose: str = "call"
    """Why it runs: `call`, `verify` or `solve`. Kept in the execution log."""
    isolation: Isolation | None = None
    """Asks for at least this level; None for the policy's. A weaker one than the policy's is refused."""
    candidate_for: str = ""
    """Name of the tool that bare source may become; that tool's rule on isolation holds for it already."""
    replica: int = 0
    """Calls of other replicas run in other containers, where a container belongs to a tool: another process tree,
    with another seed of its hashes."""
    bypass_cache: bool = False
    """Run it even where the result is known: neither read the exact-result cache nor fill it."""
