"""`Jobs` in a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Select, func, insert, select, update

from toolwright.domain.job import Job, JobState
from toolwright.errors import NotFound, Overloaded
from toolwright.registry import job_rows
from toolwright.registry.database import Database
from toolwright.registry.jobs import RETRY_AFTER_S, Ending, Progress
from toolwright.registry.rows import Row
from toolwright.registry.statements import fetch_all, fetch_first, find, unless_taken
from toolwright.registry.storable import MAX_INTEGER, check_page, is_storable_text
from toolwright.registry.tables import JOB_TURN, JOBS

_OPEN = JOBS.c.state.in_([JobState.QUEUED.value, JobState.RUNNING.value])
_QUEUED = JOBS.c.state == JobState.QUEUED.value


class SqlJobs:
    """A `Jobs` for all servers that share the database."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        """Use `database`; `clock` gives seconds since 1970, UTC."""
        self._database, self._clock = database, clock

    def open(self, job: Job, *, most_queued: int) -> tuple[Job, bool]:
        """See `Jobs`."""
        row = job_rows.job_row(job)
        same_task = select(JOBS).where(_OPEN, JOBS.c.task_digest == row["task_digest"]).order_by(JOBS.c.seq)
        count = select(func.count()).select_from(JOBS).where(_QUEUED)
        with unless_taken("job", job.making_id), self._database.writing() as connection:
            _take_turn(connection)
            for other in fetch_all(connection, same_task):
                if job_rows.does_for(other, job):
                    return job_rows.job_from(other), False
            queued: int = connection.execute(count).scalar_one()
            if job.state is JobState.QUEUED and queued >= most_queued:
                raise Overloaded(f"{queued} makings wait already; no more at a time", RETRY_AFTER_S)
            connection.execute(insert(JOBS), row)
            return job_rows.job_from(row), True

    def get(self, making_id: str) -> Job:
        """See `Jobs`."""
        with self._database.reading() as connection:
            return job_rows.job_from(_found(connection, making_id))

    def list(self, *, task: str = "", open_only: bool = False, after: str = "", limit: int = 100) -> Sequence[Job]:
        """See `Jobs`."""
        check_page(after, limit)
        if not is_storable_text(task):
            return []
        query: Select[tuple[object, ...]] = select(JOBS).order_by(JOBS.c.seq.desc()).limit(min(limit, MAX_INTEGER))
        if task:
            query = query.where(JOBS.c.task == task)
        if open_only:
            query = query.where(_OPEN)
        if after:
            last = select(JOBS.c.seq).where(JOBS.c.making_id == after).scalar_subquery()
            query = query.where(JOBS.c.seq < last)
        with self._database.reading() as connection:
            return [job_rows.job_from(row) for row in fetch_all(connection, query)]

    def take(self, owner: str, *, lease_s: float, making_id: str = "") -> Job | None:
        """See `Jobs`."""
        if not is_storable_text(making_id):
            return None
        now = self._clock()
        query = select(JOBS).where(_OPEN, JOBS.c.lease_until <= now).order_by(JOBS.c.seq).limit(1)
        if making_id:
            query = query.where(JOBS.c.making_id == making_id)
        with self._database.reading() as connection:
            if fetch_first(connection, query) is None:  # the usual case takes no lock
                return None
        with self._database.writing() as connection:
            _take_turn(connection)
            row = fetch_first(connection, query)
            if row is None:
                return None
            change = job_rows.taken_row(row, owner, now + lease_s)
            connection.execute(update(JOBS).where(JOBS.c.making_id == row["making_id"]).values(change))
            return job_rows.job_from(row | change)

    def renew(self, making_id: str, owner: str, *, lease_s: float) -> Job | None:
        """See `Jobs`."""
        with self._database.writing() as connection:
            if not _change(connection, making_id, owner, {"lease_until": self._clock() + lease_s}):
                return None
            return job_rows.job_from(_found(connection, making_id))

    def note(self, making_id: str, owner: str, progress: Progress) -> bool:
        """See `Jobs`."""
        row = job_rows.progress_row(progress)
        with self._database.writing() as connection:
            return _change(connection, making_id, owner, row)

    def release(self, making_id: str, owner: str) -> None:
        """See `Jobs`."""
        with self._database.writing() as connection:
            _change(connection, making_id, owner, {"owner": "", "lease_until": 0.0})

    def finish(self, making_id: str, owner: str, ending: Ending) -> bool:
        """See `Jobs`."""
        row = job_rows.ending_row(ending, self._clock())
        with self._database.writing() as connection:
            return _change(connection, making_id, owner, row)

    def cancel(self, making_id: str, reason: str) -> Job:
        """See `Jobs`."""
        with self._database.writing() as connection:
            _take_turn(connection)
            row = _found(connection, making_id)
            change = job_rows.cancel_row(row, reason, self._clock())
            if change:
                still = JOBS.c.state == row["state"]  # its owner may have ended it since it was found
                connection.execute(update(JOBS).where(JOBS.c.making_id == making_id, still).values(change))
            return job_rows.job_from(_found(connection, making_id))


def _take_turn(connection: Connection) -> None:
    """Keep other servers from opening, taking and cancelling jobs until the transaction ends."""
    connection.execute(update(JOB_TURN).values(turn=JOB_TURN.c.turn + 1))


def _change(connection: Connection, making_id: str, owner: str, change: Row) -> bool:
    owned = (JOBS.c.making_id == making_id) & (JOBS.c.owner == owner) & (JOBS.c.state == JobState.RUNNING.value)
    return connection.execute(update(JOBS).where(owned).values(change)).rowcount == 1


def _found(connection: Connection, making_id: str) -> Row:
    row = find(connection, JOBS, JOBS.c.making_id, making_id)
    if row is None:
        raise NotFound("making", making_id)
    return row
