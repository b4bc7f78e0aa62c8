"""What is kept, as a Protocol. `memory.py` and `sql.py` keep the same promises (one contract test)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from toolwright.domain.lifecycle import NO_ORIGIN, Origin
from toolwright.domain.record import (
    Attempt,
    ExecutionEntry,
    Making,
    VerificationRecord,
)
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState, ToolVersion
from toolwright.registry.dependencies import Dependencies
from toolwright.registry.feedback import FeedbackStore
from toolwright.registry.jobs import Jobs
from toolwright.registry.ledger import Ledger
from toolwright.registry.lifecycle import Lifecycle
from toolwright.registry.misses import MissStore
from toolwright.registry.search import SearchIndex
from toolwright.registry.synonyms import Synonyms


@dataclass(frozen=True, slots=True)
class Heading:
    """A name, and what it stands for, without the content. What has the same digest has the same content."""

    name: str
    digest: str
    """Of the version that the plain name means, the newest if that is none; of its task, if it has no version."""
    state: ToolState | None
    """Of that version; None for a task without one."""


class Store(Protocol):
    """The registry. Each method is one transaction, safe to call from many threads.

    Every method raises `StoreUnavailable` when the store cannot be read or written (and after
    `close`), and `StoreCorrupt` when what it reads does not match its digest, or a tool not its verification record.

    What models and tools wrote (prompts, replies, source, verdicts, failures) is kept whatever it
    holds. Ids, names and other short texts with NUL or a lone surrogate, integers beyond 64 bits and
    numbers that are not finite are refused with `InvalidInput`. An id that is already taken raises
    `AlreadyExists`, and nothing is changed.
    """

    @property
    def feedback(self) -> FeedbackStore:
        """What is kept of how tools do in use."""

    @property
    def lifecycle(self) -> Lifecycle:
        """States of versions, who changed them and why, approvals, aliases."""

    @property
    def jobs(self) -> Jobs:
        """Makings as jobs."""

    @property
    def synonyms(self) -> Synonyms:
        """Names that stand for tools of other names."""

    def save_task(self, task: Task) -> None:
        """Keep `task`, replacing one of the same name that has no version yet.

        Once a version was admitted, its name keeps the task that it was verified on: only `admit`
        replaces that, so that a making that comes to nothing changes nothing. Then this does nothing.
        """

    def get_task(self, name: str) -> Task:
        """Return a task.

        Raises:
            NotFound: there is none of that name.
        """

    def admit(
        self,
        version: ToolVersion,
        record: VerificationRecord,
        task: Task,
        *,
        state: ToolState = ToolState.ACTIVE,
        origin: Origin = NO_ORIGIN,
    ) -> RegisteredTool:
        """Keep a verified version as the newest of its name, with its record and task, in one transaction.

        The same digest again returns what is there and keeps nothing new. Earlier versions of the
        name stay as they are, callable by `name@number`. The name stands for no other tool any more. What a version is
        made from is kept as digests; what is returned carries no modules.

        Args:
            version: what is kept.
            record: the evidence for it.
            task: what it was verified on.
            state: `ACTIVE`, or `VERIFIED` if somebody has to approve it first.
            origin: who brought it, and from where.

        Raises:
            NotFound: a tool that it is made from.
            ValueError: the record is not for this version and task, or has a failed check. A caller's bug.
        """

    def get_tool(self, reference: str, *, lot: float = 1.0) -> RegisteredTool:
        """Return the version that `name`, `name@number`, `name@alias` or `sha256:…` refers to.

        A plain name means the version that `stable` points at, in whatever state it is; where that is not set, the
        newest active version, but for the canary if there is another. A lot below the share of an active
        canary draws that instead.

        Args:
            reference: of a tool.
            lot: 0 to 1, drawn for this call; 1 never draws the canary.

        A name without an active version of its own may stand for a tool of another name; see `synonyms`.

        Raises:
            NotFound: nothing is referred to.
            InvalidInput: the reference has no valid form.
        """

    def list_tools(self, *, after: str = "", limit: int = 100) -> Sequence[RegisteredTool]:
        """Return the newest version of each name beyond `after`, by name, `limit` at most.

        Raises:
            InvalidInput: the limit is negative.
        """

    def headings(self) -> Sequence[Heading]:
        """Return all names of tools, and of tasks without a tool, by name. Reads no content, so it checks none."""

    @property
    def dependencies(self) -> Dependencies:
        """Which tools are made from which."""

    def get_verification(self, verification_id: str) -> VerificationRecord:
        """Return a verification record.

        Raises:
            NotFound: there is none of that id.
        """

    def start_making(self, making: Making) -> None:
        """Keep the start of a making."""

    def add_attempt(self, attempt: Attempt) -> None:
        """Keep one attempt.

        Raises:
            NotFound: no such making was started.
        """

    def finish_making(self, making_id: str, *, at: float, tool_digest: str = "", failure: str = "") -> None:
        """Keep the end of a making. The same end again changes nothing.

        Raises:
            NotFound: no such making was started.
            AlreadyExists: it has already ended otherwise.
        """

    def list_makings(self, task: str = "") -> Sequence[Making]:
        """Return makings by start, oldest first; all tasks if `task` is empty."""

    def list_attempts(self, making_id: str) -> Sequence[Attempt]:
        """Return the attempts of one making, in order."""

    def begin_execution(self, entry: ExecutionEntry) -> None:
        """Keep that an execution (one that has not `ended`) begins, so that none goes unrecorded whatever happens.

        Raises:
            AlreadyExists: its id is taken.
        """

    def add_execution(self, entry: ExecutionEntry) -> None:
        """Keep one execution: the end of one that began here, or a whole one.

        When this returns, a killed process has not lost it.

        Raises:
            AlreadyExists: its id is taken by one that has ended.
        """

    def get_execution(self, execution_id: str) -> ExecutionEntry:
        """Return one execution.

        Raises:
            NotFound: there is none of that id.
        """

    def count_executions(self, *, purpose: str = "") -> int:
        """Return how many executions are kept; of all purposes if empty."""

    @property
    def ledger(self) -> Ledger:
        """What models cost."""

    @property
    def search(self) -> SearchIndex:
        """Which tools and tasks fit a text."""

    @property
    def misses(self) -> MissStore:
        """Questions that no tool fits."""

    def close(self) -> None:
        """Let go of files and connections. A second time does nothing."""
