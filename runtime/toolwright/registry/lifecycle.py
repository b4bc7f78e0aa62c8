"""What is kept of tools' lives: states, who changed them and why, approvals, aliases. A part of `Store`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from toolwright.domain.lifecycle import Alias, ToolEvent
from toolwright.domain.record import VerificationRecord
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState


class Lifecycle(Protocol):
    """Lives of tools. Each method is one transaction in which the event is kept too; safe to call from many threads.

    Methods raise what those of `Store` do. `actor` and `reason` may hold any text.
    """

    def change_state(
        self, digest: str, to: ToolState, *, actor: str, reason: str, expected: ToolState | None = None
    ) -> RegisteredTool:
        """Put a version into another state, and return it as it is then.

        Args:
            digest: of the version.
            to: its new state.
            actor: who wants it.
            reason: why.
            expected: what its state has to be; None for any from which `to` can be reached.

        Raises:
            NotFound: there is no such version.
            NotReady: it is in another state than expected, or `to` does not follow on its state.
        """

    def approve(self, digest: str, *, actor: str, reason: str, persons: int) -> RegisteredTool:
        """Keep that `actor` approves a version that is verified or quarantined; it is active once `persons` have.

        Raises:
            NotFound: there is no such version.
            NotReady: its state is another, or the same actor has approved it already, or brought it.
        """

    def renew(
        self,
        record: VerificationRecord,
        task: Task,
        *,
        actor: str,
        reason: str,
        to: ToolState | None = None,
    ) -> RegisteredTool:
        """Give the version that `record` is for this record in place of its present one, which stays kept.

        Args:
            record: new evidence for a version that is there.
            task: what it was verified on; it replaces the name's task.
            actor: who had it verified.
            reason: why.
            to: its new state, if that is to change with it.

        Raises:
            ValueError: the record is not for this task, or has a failed check. A caller's bug.
            NotFound: there is no such version.
            NotReady: `to` does not follow on its state.
            AlreadyExists: the record's id is taken.
        """

    def events(self, name: str, *, after: int = 0, limit: int = 1_000) -> Sequence[ToolEvent]:
        """Return what happened to a tool, oldest first; only events whose id is beyond `after`, `limit` at most."""

    def aliases(self, name: str) -> Sequence[Alias]:
        """Return the aliases of a tool, by alias; none for a tool that is not there."""

    def set_alias(self, alias: Alias, *, actor: str, reason: str) -> Alias:
        """Point an alias at an active version, wherever it pointed before.

        Raises:
            NotFound: there is no such version.
            NotReady: it is not active.
            InvalidInput: the alias has no valid form, or the share is not 0 to 1, or not 0 for another than `canary`.
        """

    def remove_alias(self, name: str, alias: str, *, actor: str, reason: str) -> None:
        """Remove an alias.

        Raises:
            NotFound: it is not set.
        """

    def rollback(self, name: str, *, actor: str, reason: str) -> Alias:
        """Point `stable` at what it pointed at before; again, at what it pointed at before that.

        Versions that are not active any more are passed over. Where `stable` was never set, the plain name means
        the newest active version, so it goes to the active version before that one.

        Raises:
            NotFound: there is no such tool.
            NotReady: there is nothing to go back to.
        """
