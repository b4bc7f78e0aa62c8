"""What the handlers ask of making and solving, and who a caller is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from toolwright.domain.cost_report import CostQuestion, CostReport
from toolwright.domain.events import MakingEvent
from toolwright.domain.job import Budget, Job
from toolwright.domain.lifecycle import NO_ORIGIN, UNKNOWN_ACTOR, Origin
from toolwright.domain.record import DEFAULT_TENANT
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool
from toolwright.lifecycle.reverify import ON_DEMAND, Reverdict
from toolwright.sandbox.base import Cancellation

TENANT: Final = DEFAULT_TENANT
"""Whose calls they are. One tenant, as long as callers are not authenticated; never taken from a request."""


class Accounting(Protocol):
    """Tells what models cost."""

    def report(self, asked: CostQuestion) -> CostReport:
        """Return what the ledger holds.

        Raises:
            InvalidInput: a field is off.
            StoreUnavailable, StoreCorrupt: the registry.
        """


class ToolMaking(Protocol):
    """Makes tools as jobs, and takes a person's code through the same checks."""

    def make(  # noqa: PLR0913 - the fields of the request
        self,
        task: Task,
        *,
        attempts: int,
        budget: Budget | None,
        candidates: int,
        cancellation: Cancellation | None,
        tenant: str,
    ) -> Iterator[MakingEvent]:
        """Have a tool made for `task`; the last event is `Made` or `NotMade`. To stop reading does not end the making.

        Args:
            task: what the tool is wanted for.
            attempts: proposals that the maker may make; 0 for the server's setting.
            budget: what may be spent besides; 0 for the server's setting.
            candidates: proposals asked for at a time; 0 for the server's setting.
            cancellation: ends the reading from another thread.
            tenant: whose making it is.

        Raises:
            NotReady: no models are configured.
            InvalidInput: a bound beyond the server's.
            Overloaded: too many makings wait.
            ModelError, EngineUnavailable, SandboxUnavailable, StoreUnavailable: a service that it needs is missing.
        """

    def follow(self, making_id: str, *, cancellation: Cancellation | None) -> Iterator[MakingEvent]:
        """Give the events of a making, from its start to its end.

        Raises:
            NotFound: there is none of that id.
        """

    def cancel(self, making_id: str, reason: str) -> Job:
        """Ask for the end of a making, and return it as it is now.

        Raises:
            NotFound: there is none of that id.
        """

    @property
    def running(self) -> int:
        """How many makings are being worked on."""

    def register(  # noqa: PLR0913 - what is asked, and by whom
        self,
        task: Task,
        source: ToolSource,
        *,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str,
        origin: Origin = NO_ORIGIN,
    ) -> RegisteredTool:
        """Verify `source` by the examples of `task` and keep it with its `origin`, at the cost of `tenant`.

        Raises:
            NotReady: a check failed, or no models are configured.
            AlreadyExists: the same content is registered under another name.
            ModelError, EngineUnavailable, SandboxUnavailable, StoreUnavailable: a service that it needs is missing.
        """


class Reporting(Protocol):
    """Takes reports on answers."""

    def report(self, execution_id: str, *, correct: bool, answer: str = "", actor: str = "") -> bool:
        """Keep whether an answer was right, and return whether that was new; see `lifecycle.outcomes.Outcomes`."""


class Reverifying(Protocol):
    """Verifies kept versions again."""

    def verify(
        self,
        reference: str,
        *,
        actor: str = UNKNOWN_ACTOR,
        reason: str = ON_DEMAND,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
    ) -> Reverdict:
        """Verify a version again; see `lifecycle.reverify.Reverifier`."""
