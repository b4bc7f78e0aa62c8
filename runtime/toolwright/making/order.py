"""What a maker is told to make: for which task, within which budget, and where an earlier server had left off."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from toolwright.domain.job import MAX_ATTEMPTS, MAX_CANDIDATES, Budget, Job
from toolwright.domain.record import DEFAULT_TENANT, Attempt, TokenUse
from toolwright.domain.task import Task
from toolwright.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Order:
    """One making to be carried out, from its start or from where it stopped."""

    task: Task
    budget: Budget
    candidates: int = 1
    tenant: str = DEFAULT_TENANT
    making_id: str = field(default_factory=lambda: secrets.token_hex(16))
    begun: int = 0
    """Attempts that were begun before."""
    kept: tuple[Attempt, ...] = ()
    """Those of them of which there is a record."""
    token_use: tuple[TokenUse, ...] = ()
    """What was spent before."""
    seconds: float = 0.0
    resumed: bool = False
    """Whether another server, or this one before a restart, has worked on it."""

    @classmethod
    def of_job(cls, job: Job, kept: Sequence[Attempt]) -> Order:
        """Return what is left of `job`, of which `kept` is on record."""
        return cls(
            task=job.task,
            budget=job.budget,
            candidates=job.candidates,
            tenant=job.tenant,
            making_id=job.making_id,
            begun=max(job.begun, *(attempt.number for attempt in kept), 0),
            kept=tuple(kept),
            token_use=job.token_use,
            seconds=job.seconds,
            resumed=job.starts > 1,
        )

    @property
    def lost(self) -> Sequence[int]:
        """Numbers of attempts that were begun and of which there is no record."""
        recorded = {attempt.number for attempt in self.kept}
        return [number for number in range(1, self.begun + 1) if number not in recorded]


def check_budget(budget: Budget, candidates: int) -> None:
    """Let a request's wishes pass if they are such as a making can have.

    Raises:
        InvalidInput: names the field.
    """
    if not 1 <= budget.attempts <= MAX_ATTEMPTS:
        raise InvalidInput("attempts", f"is {budget.attempts}", f"1 to {MAX_ATTEMPTS}")
    if not 1 <= candidates <= MAX_CANDIDATES:
        raise InvalidInput("candidates", f"is {candidates}", f"1 to {MAX_CANDIDATES}")
    for field_name, value in (
        ("max_tokens", budget.tokens),
        ("max_cost_usd", budget.cost_usd),
        ("max_seconds", budget.seconds),
    ):
        if not 0 <= value < float("inf"):
            raise InvalidInput(field_name, f"is {value}", "above 0; 0 for the server's setting")
