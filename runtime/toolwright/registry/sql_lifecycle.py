"""`SqlLifecycle`: tools' lives in a database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, delete, insert, select, update

from toolwright.registry.database import Database
from toolwright.registry.kept_lifecycle import KeptLifecycle
from toolwright.registry.rows import Row
from toolwright.registry.statements import fetch_all, fetch_first, find, hold_name, insert_unless_there, put
from toolwright.registry.storable import MAX_INTEGER, taken
from toolwright.registry.tables import TASKS, TOOL_ALIASES, TOOL_EVENTS, TOOL_VERSIONS, VERIFICATIONS


class SqlLifecycle(KeptLifecycle):
    """`Lifecycle` in the tables of an `SqlStore`."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        """Use `database`, whose schema is up to date."""
        super().__init__(clock)
        self._database = database

    @contextmanager
    def _unit(self) -> Iterator[SqlUnit]:
        with self._database.writing() as connection:
            yield SqlUnit(connection)

    @contextmanager
    def _view(self) -> Iterator[SqlUnit]:
        with self._database.reading() as connection:
            yield SqlUnit(connection)


class SqlUnit:
    """Implements `LifeUnit` in a transaction of a database."""

    def __init__(self, connection: Connection) -> None:
        """Use `connection`, which is in a transaction."""
        self._connection = connection

    def hold(self, name: str) -> None:
        """See `LifeUnit`."""
        hold_name(self._connection, name)

    def by_digest(self, digest: str) -> Row | None:
        """See `LifeUnit`."""
        return find(self._connection, TOOL_VERSIONS, TOOL_VERSIONS.c.digest, digest)

    def by_number(self, name: str, number: int) -> Row | None:
        """See `LifeUnit`."""
        columns = TOOL_VERSIONS.c
        if not 0 < number <= MAX_INTEGER >> 32:
            return None
        return fetch_first(
            self._connection, select(TOOL_VERSIONS).where(columns.name == name, columns.number == number)
        )

    def active_numbers(self, name: str) -> Sequence[int]:
        """See `LifeUnit`."""
        columns = TOOL_VERSIONS.c
        query = select(columns.number).where(columns.name == name, columns.state == "active")
        return list(self._connection.execute(query.order_by(columns.number.desc())).scalars())

    def set_version(self, digest: str, change: Row) -> None:
        """See `LifeUnit`."""
        self._connection.execute(update(TOOL_VERSIONS).where(TOOL_VERSIONS.c.digest == digest).values(change))

    def add_record(self, record: Row) -> None:
        """See `LifeUnit`."""
        if not insert_unless_there(self._connection, VERIFICATIONS, record):
            raise taken("verification record", record["verification_id"])

    def put_task(self, task: Row) -> None:
        """See `LifeUnit`."""
        put(self._connection, TASKS, TASKS.c.name, task)

    def add_event(self, event: Row) -> None:
        """See `LifeUnit`."""
        self._connection.execute(insert(TOOL_EVENTS), event)

    def events(self, name: str, after: int, limit: int | None) -> Sequence[Row]:
        """See `LifeUnit`."""
        columns = TOOL_EVENTS.c
        query = select(TOOL_EVENTS).where(columns.name == name, columns.seq > min(after, MAX_INTEGER))
        query = query.order_by(columns.seq)
        if limit is not None:
            query = query.limit(min(limit, MAX_INTEGER))
        return list(fetch_all(self._connection, query))

    def aliases(self, *names: str) -> Sequence[Row]:
        """See `LifeUnit`."""
        columns = TOOL_ALIASES.c
        query = select(TOOL_ALIASES).where(columns.name.in_(names)).order_by(columns.name, columns.alias)
        return list(fetch_all(self._connection, query))

    def put_alias(self, alias: Row) -> None:
        """See `LifeUnit`."""
        columns = TOOL_ALIASES.c
        this = (columns.name == alias["name"]) & (columns.alias == alias["alias"])
        if self._connection.execute(update(TOOL_ALIASES).where(this).values(alias)).rowcount == 0:
            self._connection.execute(insert(TOOL_ALIASES), alias)

    def drop_alias(self, name: str, alias: str) -> None:
        """See `LifeUnit`."""
        columns = TOOL_ALIASES.c
        self._connection.execute(delete(TOOL_ALIASES).where(columns.name == name, columns.alias == alias))
