"""What makes, solves and verifies, refusing at once where a model that it needs is not configured."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Final

from toolwright.calling.models import Models
from toolwright.domain.events import MakingEvent, SolveEvent
from toolwright.domain.job import Budget, Job, JobKind
from toolwright.domain.lifecycle import NO_ORIGIN, UNKNOWN_ACTOR, Origin
from toolwright.domain.record import DEFAULT_TENANT
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import InvalidInput
from toolwright.lifecycle.reverify import ON_DEMAND, Reverdict, Reverifier
from toolwright.lifecycle.solves import Solving
from toolwright.making.pipeline import Maker
from toolwright.making.workshop import Workshop
from toolwright.sandbox.base import Cancellation
from toolwright.server.role_model import require
from toolwright.services.log import service_log

if TYPE_CHECKING:
    from toolwright.llm.ledger import Record

_TOLD_CHARS: Final = 500
_log: Final = service_log("toolwright.services")


class ConfiguredMaker:
    """The workshop and its maker; refuses at once where a model is missing."""

    def __init__(self, workshop: Workshop, maker: Maker, models: Models) -> None:
        """Let `workshop` make tools, and `maker` take a person's code."""
        self._workshop, self._maker, self._models = workshop, maker, models

    def make(  # noqa: PLR0913 - the fields of the request
        self,
        task: Task,
        *,
        attempts: int = 0,
        budget: Budget | None = None,
        candidates: int = 0,
        kind: JobKind = JobKind.MAKE,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        record: Record | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> Generator[MakingEvent, None, None]:
        """Have a tool made; see `making.workshop.Workshop.make`."""
        require(self._models.maker, self._models.user)
        try:
            return self._workshop.make(
                task,
                attempts=attempts,
                budget=budget,
                candidates=candidates,
                kind=kind,
                cancellation=cancellation,
                deadline_s=deadline_s,
                record=record,
                tenant=tenant,
            )
        except InvalidInput as fault:
            _log.warning("making refused", text=str(fault)[:_TOLD_CHARS])
            raise

    def follow(
        self, making_id: str, *, cancellation: Cancellation | None = None, deadline_s: float | None = None
    ) -> Generator[MakingEvent, None, None]:
        """Yield the steps of a making; see `making.workshop.Workshop.follow`."""
        return self._workshop.follow(making_id, cancellation=cancellation, deadline_s=deadline_s)

    def cancel(self, making_id: str, reason: str = "") -> Job:
        """End a making; see `making.workshop.Workshop.cancel`."""
        return self._workshop.cancel(making_id, reason)

    @property
    def running(self) -> int:
        """How many makings are being worked on."""
        return self._workshop.running

    def register(  # noqa: PLR0913 - what is asked, and by whom
        self,
        task: Task,
        source: ToolSource,
        *,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str = DEFAULT_TENANT,
        origin: Origin = NO_ORIGIN,
        uses: Sequence[str] | None = None,
    ) -> RegisteredTool:
        """Take a person's code through the same checks; see `making.pipeline.Maker.register`."""
        require(self._models.user)
        return self._maker.register(
            task, source, cancellation=cancellation, deadline_s=deadline_s, tenant=tenant, origin=origin, uses=uses
        )


class ConfiguredSolver:
    """The solver; refuses at once where a model is missing."""

    def __init__(self, solver: Solving, models: Models) -> None:
        """Ask `solver`."""
        self._solver, self._models = solver, models

    def solve(  # noqa: PLR0913 - the fields of the request
        self,
        question: str,
        *,
        tool: str = "",
        among: Sequence[str] = (),
        dispatch_only: bool = False,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str = DEFAULT_TENANT,
        bypass_cache: bool = False,
    ) -> Generator[SolveEvent, None, None]:
        """Answer a question; see `solving.solver.Solver.solve`."""
        require(self._models.user, *(() if tool else (self._models.dispatcher,)))
        return self._solver.solve(
            question,
            tool=tool,
            among=among,
            dispatch_only=dispatch_only,
            cancellation=cancellation,
            deadline_s=deadline_s,
            tenant=tenant,
            bypass_cache=bypass_cache,
        )


class ConfiguredReverifier:
    """Verifies again; refuses at once where the light model is missing."""

    def __init__(self, reverifier: Reverifier, models: Models) -> None:
        """Ask `reverifier`."""
        self._reverifier, self._models = reverifier, models

    def verify(
        self,
        reference: str,
        *,
        actor: str = UNKNOWN_ACTOR,
        reason: str = ON_DEMAND,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
    ) -> Reverdict:
        """Verify a version again; see `lifecycle.reverify.Reverifier.verify`."""
        require(self._models.user)
        return self._reverifier.verify(
            reference, actor=actor, reason=reason, cancellation=cancellation, deadline_s=deadline_s
        )
