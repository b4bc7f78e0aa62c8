"""`Jobs` and `Synonyms` in memory. They keep the same rows as in a database, under their store's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from toolwright.domain.job import Job, JobState
from toolwright.errors import AlreadyExists, NotFound, Overloaded
from toolwright.registry import job_rows
from toolwright.registry.jobs import RETRY_AFTER_S, Ending, Progress
from toolwright.registry.rows import Row
from toolwright.registry.storable import check_page, check_storable, taken

Transaction = Callable[[], AbstractContextManager[None]]
_OPEN = frozenset({JobState.QUEUED.value, JobState.RUNNING.value})


class MemoryJobs:
    """A `Jobs` that ends with the process."""

    def __init__(self, transaction: Transaction, clock: Callable[[], float]) -> None:
        """Change things only within `transaction`; `clock` gives seconds since 1970, UTC."""
        self._transaction, self._clock = transaction, clock
        self._rows: dict[str, Row] = {}

    def open(self, job: Job, *, most_queued: int) -> tuple[Job, bool]:
        """See `Jobs`."""
        row = job_rows.job_row(job)
        with self._transaction():
            for other in self._rows.values():
                same = other["state"] in _OPEN and other["task_digest"] == row["task_digest"]
                if same and job_rows.does_for(other, job):
                    return job_rows.job_from(other), False
            if job.making_id in self._rows:
                raise taken("job", job.making_id)
            queued = sum(other["state"] == JobState.QUEUED.value for other in self._rows.values())
            if job.state is JobState.QUEUED and queued >= most_queued:
                raise Overloaded(f"{queued} makings wait already; no more at a time", RETRY_AFTER_S)
            self._rows[job.making_id] = row
            return job_rows.job_from(row), True

    def get(self, making_id: str) -> Job:
        """See `Jobs`."""
        with self._transaction():
            return job_rows.job_from(self._found(making_id))

    def list(self, *, task: str = "", open_only: bool = False, after: str = "", limit: int = 100) -> Sequence[Job]:
        """See `Jobs`."""
        check_page(after, limit)
        with self._transaction():
            newest = list(reversed(self._rows.values()))
            ids = [row["making_id"] for row in newest]
            if after:
                newest = newest[ids.index(after) + 1 :] if after in ids else []
            wanted = [row for row in newest if task in {"", row["task"]} and (not open_only or row["state"] in _OPEN)]
            return [job_rows.job_from(row) for row in wanted[:limit]]

    def take(self, owner: str, *, lease_s: float, making_id: str = "") -> Job | None:
        """See `Jobs`."""
        now = self._clock()
        with self._transaction():
            for row in self._rows.values():
                if making_id not in {"", row["making_id"]} or row["state"] not in _OPEN or row["lease_until"] > now:
                    continue
                row.update(job_rows.taken_row(row, owner, now + lease_s))
                return job_rows.job_from(row)
        return None

    def renew(self, making_id: str, owner: str, *, lease_s: float) -> Job | None:
        """See `Jobs`."""
        with self._transaction():
            row = self._owned(making_id, owner)
            if row is None:
                return None
            row["lease_until"] = self._clock() + lease_s
            return job_rows.job_from(row)

    def note(self, making_id: str, owner: str, progress: Progress) -> bool:
        """See `Jobs`."""
        return self._change(making_id, owner, job_rows.progress_row(progress))

    def release(self, making_id: str, owner: str) -> None:
        """See `Jobs`."""
        self._change(making_id, owner, {"owner": "", "lease_until": 0.0})

    def finish(self, making_id: str, owner: str, ending: Ending) -> bool:
        """See `Jobs`."""
        return self._change(making_id, owner, job_rows.ending_row(ending, self._clock()))

    def cancel(self, making_id: str, reason: str) -> Job:
        """See `Jobs`."""
        with self._transaction():
            row = self._found(making_id)
            row.update(job_rows.cancel_row(row, reason, self._clock()))
            return job_rows.job_from(row)

    def _change(self, making_id: str, owner: str, change: Row) -> bool:
        with self._transaction():
            row = self._owned(making_id, owner)
            if row is None:
                return False
            row.update(change)
            return True

    def _owned(self, making_id: str, owner: str) -> Row | None:
        row = self._rows.get(making_id)
        return row if row and row["state"] == JobState.RUNNING.value and row["owner"] == owner else None

    def _found(self, making_id: str) -> Row:
        if making_id not in self._rows:
            raise NotFound("making", making_id)
        return self._rows[making_id]


class MemorySynonyms:
    """A `Synonyms` that ends with the process."""

    def __init__(self, transaction: Transaction, has_versions: Callable[[str], bool]) -> None:
        """Change things only within `transaction`; `has_versions` says of which names there are versions."""
        self._transaction, self._has_versions = transaction, has_versions
        self.targets: dict[str, str] = {}

    def add(self, name: str, tool: str) -> None:
        """See `Synonyms`."""
        check_storable({"name": name, "tool": tool}, "synonym")
        with self._transaction():
            if self._has_versions(name):
                raise AlreadyExists(f"{name!r} has versions of its own, so it can stand for no other tool")
            if not self._has_versions(tool):
                raise NotFound("tool", tool)
            self.targets[name] = tool

    def remove(self, name: str) -> None:
        """See `Synonyms`."""
        with self._transaction():
            if self.targets.pop(name, None) is None:
                raise NotFound("synonym", name)

    def of(self, tool: str) -> Sequence[str]:
        """See `Synonyms`."""
        with self._transaction():
            return sorted(name for name, target in self.targets.items() if target == tool)
