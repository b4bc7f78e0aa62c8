"""A making as clients see it: the job, and what its attempts came to."""

from __future__ import annotations

from dataclasses import dataclass

from toolwright.domain.job import Budget, JobState
from toolwright.domain.record import Stage, TokenUse


@dataclass(frozen=True, slots=True)
class MakingInfo:
    """One making of a tool. All but its examples and attempts."""

    making_id: str
    task: str
    """Name of the task."""
    task_digest: str
    kind: str
    """`make`, `remake` or `online`."""
    state: JobState
    budget: Budget
    """What it may spend; 0 is no bound."""
    spent: Budget
    token_use: tuple[TokenUse, ...]
    candidates: int
    progress: str
    """What it does, or did last."""
    owner: str
    """The server that works on it; empty if none does."""
    starts: int
    """Servers that have worked on it."""
    cancel_requested: bool
    reason: str
    """Why it ended without a tool."""
    tool_digest: str
    merged: bool
    created_at: float
    """Seconds since 1970, UTC."""
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class MakingAttempt:
    """One proposal and what became of it."""

    number: int
    code: str
    """Untrusted text."""
    stage: Stage
    """How far it came."""
    accepted: bool
    verdict: str
    """Why it was refused, or what was shown."""
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    at: float


@dataclass(frozen=True, slots=True)
class MakingDetails:
    """A making with its attempts, in order."""

    info: MakingInfo
    attempts: tuple[MakingAttempt, ...]
