"""Makings as jobs, kept: a Protocol. `sql_jobs.py` and `memory_jobs.py` keep the same promises (one contract test)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from toolwright.domain.job import Job, JobState
from toolwright.domain.record import TokenUse

RETRY_AFTER_S = 10.0
"""When to come back if too many jobs wait: about as long as a making takes."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come."""

    begun: int
    token_use: tuple[TokenUse, ...]
    seconds: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended."""

    state: JobState
    reason: str = ""
    tool_digest: str = ""
    merged: bool = False


class Jobs(Protocol):
    """Jobs of all servers on this registry. Each method is one transaction, safe to call from many threads.

    A job is worked on under a lease: whoever took it owns it until `lease_until`, and renews that. What an owner that
    has lost its lease writes changes nothing, and it is told so. Times are those of the servers' clocks, so leases have
    to be longer than these differ. Every method raises what all of `Store` raise.
    """

    def open(self, job: Job, *, most_queued: int) -> tuple[Job, bool]:
        """Keep `job` as a new one and return it with True; or return, with False, an open one that does for it.

        One that has an owner already is never refused for others that wait.

        One does for it that is for the same task (by digest), may spend at least as much, has at least as many
        candidates, and is not to be cancelled.

        Raises:
            Overloaded: `most_queued` jobs are waiting already. Nothing was kept.
            AlreadyExists: the id is taken.
        """

    def get(self, making_id: str) -> Job:
        """Return a job.

        Raises:
            NotFound: there is none of that id.
        """

    def list(self, *, task: str = "", open_only: bool = False, after: str = "", limit: int = 100) -> Sequence[Job]:
        """Return jobs that came before the job `after`, newest first, `limit` at most; of all tasks if empty."""

    def take(self, owner: str, *, lease_s: float, making_id: str = "") -> Job | None:
        """Give `owner` the oldest job that waits, or whose lease has run out; None if there is none.

        Args:
            owner: who takes it.
            lease_s: seconds for which it is the owner's.
            making_id: take this one or none.
        """

    def renew(self, making_id: str, owner: str, *, lease_s: float) -> Job | None:
        """Extend the lease and return the job as it is; None if it is not the owner's any more."""

    def note(self, making_id: str, owner: str, progress: Progress) -> bool:
        """Keep how far the job has come; return False, and keep nothing, if it is not the owner's any more."""

    def release(self, making_id: str, owner: str) -> None:
        """Give the job back, to be taken by anyone at once; nothing if it is not the owner's any more."""

    def finish(self, making_id: str, owner: str, ending: Ending) -> bool:
        """Keep the end of a job; return False, and keep nothing, if it is not the owner's any more."""

    def cancel(self, making_id: str, reason: str) -> Job:
        """Ask for the end of a job and return it as it is now.

        One that nobody works on ends at once; one that has ended stays as it is.

        Raises:
            NotFound: there is none of that id.
        """
