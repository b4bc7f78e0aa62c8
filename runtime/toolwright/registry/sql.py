"""`SqlStore`: the registry in SQLite, or in PostgreSQL when there is more than one server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import URL, func, insert, select, update

from toolwright.domain.lifecycle import NO_ORIGIN, Origin
from toolwright.domain.record import (
    Attempt,
    ExecutionEntry,
    Making,
    VerificationRecord,
)
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState, ToolVersion
from toolwright.errors import AlreadyExists, NotFound
from toolwright.registry import log_rows, tool_rows
from toolwright.registry.admissible import check_admissible
from toolwright.registry.backend import open_backend
from toolwright.registry.base import Heading
from toolwright.registry.database import Database
from toolwright.registry.kept_lifecycle import admitted_row
from toolwright.registry.plain_name import (
    HEADING_OF,
    PLAIN_NAME,
    names_with_canary,
    newest_active_versions,
    newest_versions,
    stable_versions,
)
from toolwright.registry.prepared import insert_all, update_all
from toolwright.registry.reference import parse_reference
from toolwright.registry.schema import upgrade_schema
from toolwright.registry.sql_dependencies import SqlDependencies, keep_dependencies
from toolwright.registry.sql_feedback import SqlFeedback
from toolwright.registry.sql_jobs import SqlJobs
from toolwright.registry.sql_ledger import SqlLedger
from toolwright.registry.sql_lifecycle import SqlLifecycle
from toolwright.registry.sql_misses import SqlMisses
from toolwright.registry.sql_search import SqlSearch
from toolwright.registry.sql_synonyms import SqlSynonyms, forget, target_of
from toolwright.registry.sqlite import Durability
from toolwright.registry.statements import fetch_all, fetch_first, find, hold_name, put, unless_taken
from toolwright.registry.storable import MAX_INTEGER, check_page, is_storable_text
from toolwright.registry.tables import (
    ATTEMPTS,
    EXECUTIONS,
    MAKINGS,
    TASKS,
    TOOL_ALIASES,
    TOOL_EVENTS,
    TOOL_NAMES,
    TOOL_VERSIONS,
    VERIFICATIONS,
)

# Each version with the digest that its record is for: code is run on evidence, not on its own word.
_VERSIONS = select(TOOL_VERSIONS, VERIFICATIONS.c.tool_digest.label("verified_digest")).outerjoin(
    VERIFICATIONS, VERIFICATIONS.c.verification_id == TOOL_VERSIONS.c.verification_id
)
# Built once: putting it together would take as long as running it.
_BY_PLAIN_NAME = _VERSIONS.where(TOOL_VERSIONS.c.digest == PLAIN_NAME)
_IS_ALIASED = (TOOL_ALIASES.c.name == TOOL_VERSIONS.c.name) & (TOOL_ALIASES.c.number == TOOL_VERSIONS.c.number)
_IS_NEWEST = (TOOL_NAMES.c.name == TOOL_VERSIONS.c.name) & (TOOL_NAMES.c.last_number == TOOL_VERSIONS.c.number)


class SqlStore:
    """A `Store` in a database. Opening it makes the database if there is none, and brings it up to date."""

    def __init__(
        self,
        url: str | URL,
        *,
        durability: Durability = "process",
        wait_s: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the database.

        Args:
            url: `sqlite:///relative`, `sqlite:////absolute` or `postgresql://user:password@host/database`.
            durability: what an acknowledged write outlives in SQLite: the `process` being killed, or a
                loss of `power` too (each write then waits for the disk). PostgreSQL follows its own settings.
            wait_s: seconds to wait for another thread, process or server that is writing.
            clock: seconds since 1970, UTC.

        Raises:
            InvalidInput: the URL names no database that can be used.
            StoreUnavailable: it cannot be opened, is locked, or has a newer schema.
            StoreCorrupt: it is damaged.
        """
        self._clock = clock
        self._database = Database(open_backend(url, durability=durability, wait_s=wait_s))
        try:
            upgrade_schema(self._database)
        except BaseException:
            self._database.close()
            raise
        self.search: Final = SqlSearch(self._database)
        self.misses: Final = SqlMisses(self._database)
        self.lifecycle: Final = SqlLifecycle(self._database, clock)
        self.ledger: Final = SqlLedger(self._database)
        self.dependencies: Final = SqlDependencies(self._database)
        self._insert_execution = self._database.prepare(insert_all(EXECUTIONS))
        self._end_execution = self._database.prepare(
            update_all(EXECUTIONS, EXECUTIONS.c.execution_id, EXECUTIONS.c.status == log_rows.RUNNING)
        )
        self.jobs: Final = SqlJobs(self._database, clock)
        self.synonyms: Final = SqlSynonyms(self._database)
        self.feedback: Final = SqlFeedback(self._database)

    # --- tasks ----------------------------------------------------------------------------------

    def save_task(self, task: Task) -> None:
        """See `Store`."""
        row = tool_rows.task_row(task)
        with self._database.writing() as connection:
            if hold_name(connection, task.name) == 0:
                put(connection, TASKS, TASKS.c.name, row)

    def get_task(self, name: str) -> Task:
        """See `Store`."""
        with self._database.reading() as connection:
            row = find(connection, TASKS, TASKS.c.name, name)
            if row is None:
                raise NotFound("task", name)
            return tool_rows.task_from(row)

    # --- tools ----------------------------------------------------------------------------------

    def admit(
        self,
        version: ToolVersion,
        record: VerificationRecord,
        task: Task,
        *,
        state: ToolState = ToolState.ACTIVE,
        origin: Origin = NO_ORIGIN,
    ) -> RegisteredTool:
        """See `Store`."""
        check_admissible(version, record, task)
        version_row, record_row = tool_rows.version_row(version), tool_rows.verification_row(record)
        task_row = tool_rows.task_row(task)
        with unless_taken("verification record", record.verification_id), self._database.writing() as connection:
            number = hold_name(connection, version.name) + 1
            there = find(connection, TOOL_VERSIONS, TOOL_VERSIONS.c.digest, version_row["digest"])
            if there is not None:
                return tool_rows.registered_from(there)
            version_row |= {
                "number": number,
                "state": state.value,
                "verification_id": record.verification_id,
                "created_at": self._clock(),
            }
            connection.execute(insert(VERIFICATIONS), record_row)
            connection.execute(insert(TOOL_VERSIONS), version_row)
            keep_dependencies(connection, version)
            put(connection, TASKS, TASKS.c.name, task_row)
            connection.execute(insert(TOOL_EVENTS), admitted_row(version_row, self._clock(), origin))
            forget(connection, version.name)
            connection.execute(update(TOOL_NAMES).where(TOOL_NAMES.c.name == version.name).values(last_number=number))
            return tool_rows.registered_from(version_row)

    def get_tool(self, reference: str, *, lot: float = 1.0) -> RegisteredTool:
        """See `Store`."""
        wanted = parse_reference(reference)
        columns = TOOL_VERSIONS.c
        query = _VERSIONS
        if wanted.digest:
            query = query.where(columns.digest == wanted.digest)
        elif wanted.number is not None:
            query = query.where(columns.name == wanted.name, columns.number == wanted.number)
        elif wanted.alias:
            query = query.join(TOOL_ALIASES, _IS_ALIASED)
            query = query.where(TOOL_ALIASES.c.name == wanted.name, TOOL_ALIASES.c.alias == wanted.alias)
        else:
            query = _BY_PLAIN_NAME
        values = {"plain": wanted.name, "lot": lot} if query is _BY_PLAIN_NAME else {}
        with self._database.reading() as connection:
            row = fetch_first(connection, query, values)
            if row is None and wanted.is_bare and (target := target_of(connection, wanted.name)):
                row = fetch_first(connection, query, {"plain": target, "lot": lot})
            if row is None:
                raise NotFound("tool", reference)
            return tool_rows.registered_from(row)

    def list_tools(self, *, after: str = "", limit: int = 100) -> Sequence[RegisteredTool]:
        """See `Store`."""
        check_page(after, limit)
        query = _VERSIONS.join(TOOL_NAMES, _IS_NEWEST).where(TOOL_NAMES.c.name > after)
        query = query.order_by(TOOL_NAMES.c.name).limit(min(limit, MAX_INTEGER))
        with self._database.reading() as connection:
            return [tool_rows.registered_from(row) for row in fetch_all(connection, query)]

    def headings(self) -> Sequence[Heading]:
        """See `Store`."""
        tasks = select(TASKS.c.name, TASKS.c.digest)
        with self._database.reading() as connection:
            # Each overrides those before it: what a name means is mostly its newest version.
            queries = (tasks, newest_versions(), newest_active_versions(), stable_versions())
            rows = {row["name"]: row for query in queries for row in fetch_all(connection, query)}
            for name in connection.execute(names_with_canary()).scalars().all():
                if meant := fetch_first(connection, HEADING_OF, {"plain": name, "lot": 1.0}):
                    rows[name] = meant
            return [tool_rows.heading_from(row) for _, row in sorted(rows.items())]

    def get_verification(self, verification_id: str) -> VerificationRecord:
        """See `Store`."""
        with self._database.reading() as connection:
            row = find(connection, VERIFICATIONS, VERIFICATIONS.c.verification_id, verification_id)
            if row is None:
                raise NotFound("verification record", verification_id)
            return tool_rows.verification_from(row)

    # --- makings --------------------------------------------------------------------------------

    def start_making(self, making: Making) -> None:
        """See `Store`."""
        row = log_rows.making_row(making)
        with unless_taken("making", making.making_id), self._database.writing() as connection:
            connection.execute(insert(MAKINGS), row)

    def add_attempt(self, attempt: Attempt) -> None:
        """See `Store`."""
        row = log_rows.attempt_row(attempt)
        with (
            unless_taken("attempt", f"{attempt.making_id}/{attempt.number}"),
            self._database.writing() as connection,
        ):
            if find(connection, MAKINGS, MAKINGS.c.making_id, attempt.making_id) is None:
                raise NotFound("making", attempt.making_id)
            connection.execute(insert(ATTEMPTS), row)

    def finish_making(self, making_id: str, *, at: float, tool_digest: str = "", failure: str = "") -> None:
        """See `Store`."""
        end = log_rows.making_end_row(at, tool_digest, failure)
        unfinished = update(MAKINGS).where(MAKINGS.c.making_id == making_id, MAKINGS.c.finished_at.is_(None))
        with self._database.writing() as connection:
            there = find(connection, MAKINGS, MAKINGS.c.making_id, making_id)
            if there is None:
                raise NotFound("making", making_id)
            if connection.execute(unfinished.values(end)).rowcount == 1:
                return
            # Another server may have ended it since it was found: what counts is what stands there now.
            there = find(connection, MAKINGS, MAKINGS.c.making_id, making_id)
            if there is None or log_rows.making_end_in(there) != end:
                raise AlreadyExists(f"the making {making_id!r} has already ended otherwise; start a new one")

    def list_makings(self, task: str = "") -> Sequence[Making]:
        """See `Store`."""
        if not is_storable_text(task):
            return []
        query = select(MAKINGS).order_by(MAKINGS.c.started_at, MAKINGS.c.seq)
        if task:
            query = query.where(MAKINGS.c.task == task)
        with self._database.reading() as connection:
            return [log_rows.making_from(row) for row in fetch_all(connection, query)]

    def list_attempts(self, making_id: str) -> Sequence[Attempt]:
        """See `Store`."""
        if not is_storable_text(making_id):
            return []
        query = select(ATTEMPTS).where(ATTEMPTS.c.making_id == making_id).order_by(ATTEMPTS.c.number)
        with self._database.reading() as connection:
            return [log_rows.attempt_from(row) for row in fetch_all(connection, query)]

    # --- executions -------------------------------------------------------------------------------

    def begin_execution(self, entry: ExecutionEntry) -> None:
        """See `Store`."""
        row = log_rows.execution_row(entry)
        with unless_taken("execution", entry.execution_id):
            self._insert_execution(row)

    def add_execution(self, entry: ExecutionEntry) -> None:
        """See `Store`."""
        row = log_rows.execution_row(entry)
        with unless_taken("execution", entry.execution_id):
            if not self._end_execution(row):
                self._insert_execution(row)

    def get_execution(self, execution_id: str) -> ExecutionEntry:
        """See `Store`."""
        with self._database.reading() as connection:
            row = find(connection, EXECUTIONS, EXECUTIONS.c.execution_id, execution_id)
            if row is None:
                raise NotFound("execution", execution_id)
            return log_rows.execution_from(row)

    def count_executions(self, *, purpose: str = "") -> int:
        """See `Store`."""
        if not is_storable_text(purpose):
            return 0
        query = select(func.count()).select_from(EXECUTIONS)
        if purpose:
            query = query.where(EXECUTIONS.c.purpose == purpose)
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()

    def close(self) -> None:
        """See `Store`."""
        self._database.close()
