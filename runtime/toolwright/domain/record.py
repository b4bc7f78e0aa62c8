"""What is kept for good: attempts, verification records, executions, model use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from toolwright.domain.outcome import Status

DEFAULT_TENANT = "default"
"""Whose requests they are, as long as callers are not authenticated."""


class Role(StrEnum):
    """Which part a language model plays."""

    MAKER = "maker"
    USER = "user"
    DISPATCHER = "dispatcher"
    STRONG = "strong"
    """Answers questions that no tool fits."""


class Stage(StrEnum):
    """Stages of making, in order."""

    PROPOSE = "propose"
    VERIFY = "verify"
    WRAP = "wrap"


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One exchange with a model, and what it cost."""

    role: Role
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    seconds: float
    task: str = ""
    """Task or tool it was for; empty if none."""
    purpose: str = ""
    """`making` or `using`."""
    at: float = 0.0
    """Seconds since 1970, UTC."""
    tenant: str = ""
    """Whose request it was for."""
    tool: str = ""
    """`name@number` of the version that was used; empty while none is known."""
    request_id: str = ""
    """The same for all exchanges about one question, so that its dispatching can be told to its tool; may be empty."""
    priced: bool = True
    """False where no list names the model: `cost_usd` is 0 then, and the true cost is not known."""


@dataclass(frozen=True, slots=True)
class TokenUse:
    """Sums of `ModelUse` over one role and model."""

    role: Role
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


def sum_use(uses: Iterable[ModelUse]) -> tuple[TokenUse, ...]:
    """Return one `TokenUse` per role and model, in order of first use."""
    sums: dict[tuple[Role, str], TokenUse] = {}
    for use in uses:
        key = (use.role, use.model)
        so_far = sums.get(key, TokenUse(use.role, use.model, 0, 0, 0, 0.0))
        sums[key] = TokenUse(
            use.role,
            use.model,
            so_far.calls + 1,
            so_far.prompt_tokens + use.prompt_tokens,
            so_far.completion_tokens + use.completion_tokens,
            so_far.cost_usd + use.cost_usd,
        )
    return tuple(sums.values())


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a tool: what was asked, what came back, how it was judged. Kept whatever the verdict."""

    making_id: str
    number: int
    """1, 2, …"""
    prompt: str
    """All messages sent, as JSON."""
    reply: str
    source: str
    """The code taken from the reply; empty if there was none."""
    stage: Stage
    """The stage that was reached."""
    accepted: bool
    verdict: str
    """Why it was refused, or what was shown."""
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    at: float


@dataclass(frozen=True, slots=True)
class Making:
    """One run of making a tool for a task."""

    making_id: str
    task: str
    started_at: float
    finished_at: float | None = None
    tool_digest: str = ""
    """Empty while it runs and when nothing was admitted."""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One example in a verification: which, whether held out, and how the call ended."""

    example_id: str
    held_out: bool
    status: Status
    passed: bool
    execution_id: str


@dataclass(frozen=True, slots=True)
class VerificationRecord:
    """The evidence on which a version was admitted."""

    verification_id: str
    tool_digest: str
    task_digest: str
    """Of the task whose examples were tried, so that the evidence names their content; see `Task.digest`."""
    image_digest: str
    runtime: str
    maker_model: str
    user_model: str
    checks: tuple[Check, ...]
    attempts: int
    at: float

    @property
    def passed(self) -> bool:
        """Whether every check passed, and there was at least one of each kind."""
        kinds = {check.held_out for check in self.checks}
        return kinds == {True, False} and all(check.passed for check in self.checks)


@dataclass(frozen=True, slots=True)
class ExecutionEntry:
    """One line of the execution log. Texts of tools and callers appear as hashes only."""

    execution_id: str
    at: float
    tenant: str
    purpose: str
    tool: str
    tool_digest: str
    arguments_sha256: str
    status: Status | None
    """None where there is no verdict: the caller cancelled and the process was killed, or it has not `ended`."""
    result_sha256: str
    image_digest: str
    runtime: str
    container_id: str
    verification_id: str
    wall_ms: float
    cpu_ms: float
    peak_memory_bytes: int
    stdout_bytes: int
    stderr_bytes: int
    ended: bool = True
    """False while it runs; for ever, if its server was killed meanwhile: then its outcome is unknown."""
