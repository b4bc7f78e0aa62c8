"""A making as a job: what is to be done, what it may spend, and how far it has come."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from toolwright.domain.record import DEFAULT_TENANT, TokenUse
from toolwright.domain.task import Task

MAX_CANDIDATES = 8
MAX_ATTEMPTS = 10
MAX_CANCEL_REASON_CHARS = 1_000


class JobKind(StrEnum):
    """Why a tool is made."""

    MAKE = "make"
    """Somebody asked for it."""
    REMAKE = "remake"
    """A version that was in use proved wrong."""
    ONLINE = "online"
    """A question, or enough of them, needed it."""


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self not in {JobState.QUEUED, JobState.RUNNING}


@dataclass(frozen=True, slots=True)
class Budget:
    """What a making may spend, or has spent. As a bound, 0 is none."""

    attempts: int = 0
    tokens: int = 0
    """Sent and received, of all exchanges with models."""
    cost_usd: float = 0.0
    seconds: float = 0.0

    def is_within(self, other: Budget) -> bool:
        """Whether a making under `other` may spend at least as much."""
        pairs = zip(self._bounds, other._bounds, strict=True)
        return all(mine <= theirs for mine, theirs in pairs)

    @property
    def _bounds(self) -> tuple[float, ...]:
        return tuple(value or math.inf for value in (self.attempts, self.tokens, self.cost_usd, self.seconds))


@dataclass(frozen=True, slots=True)
class Job:
    """One making as a job. What happened in it is in the `Making` and the `Attempt`s of the same id."""

    making_id: str
    task: Task
    kind: JobKind = JobKind.MAKE
    tenant: str = DEFAULT_TENANT
    """Whose it is, and who pays."""
    budget: Budget = Budget()
    candidates: int = 1
    """Proposals asked for at a time."""
    state: JobState = JobState.QUEUED
    created_at: float = 0.0
    """Seconds since 1970, UTC; as all times here."""
    owner: str = ""
    """The server that works on it; empty if none does."""
    lease_until: float = 0.0
    """Until then nobody else takes it; the owner renews it."""
    starts: int = 0
    """How many servers have worked on it, one after the other."""
    begun: int = 0
    """Attempts that were begun, those included that were under way when a server died."""
    progress: str = ""
    """What it does, or did last, for people."""
    cancel_requested: bool = False
    token_use: tuple[TokenUse, ...] = ()
    """What its exchanges with models came to."""
    seconds: float = 0.0
    """How long servers have worked on it."""
    finished_at: float | None = None
    reason: str = ""
    """Why it ended without a tool."""
    tool_digest: str = ""
    merged: bool = False
    """Whether the tool was there before, under another name."""

    @property
    def spent(self) -> Budget:
        """What it has spent."""
        return spending(self.begun, self.token_use, self.seconds)


def spending(attempts: int, token_use: Iterable[TokenUse], seconds: float) -> Budget:
    """Return what was spent, from attempts, exchanges and time."""
    uses = list(token_use)
    return Budget(
        attempts,
        sum(use.prompt_tokens + use.completion_tokens for use in uses),
        sum(use.cost_usd for use in uses),
        seconds,
    )


def join_use(*sums: Iterable[TokenUse]) -> tuple[TokenUse, ...]:
    """Return one sum for each role and model, in order of first use."""
    joined: dict[tuple[str, str], TokenUse] = {}
    for use in (use for uses in sums for use in uses):
        key = (use.role.value, use.model)
        so_far = joined.get(key, TokenUse(use.role, use.model, 0, 0, 0, 0.0))
        joined[key] = TokenUse(
            use.role,
            use.model,
            so_far.calls + use.calls,
            so_far.prompt_tokens + use.prompt_tokens,
            so_far.completion_tokens + use.completion_tokens,
            so_far.cost_usd + use.cost_usd,
        )
    return tuple(joined.values())
