"""A database to read from and write to, one transaction at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from toolwright.errors import StoreUnavailable
from toolwright.registry.faults import store_faults
from toolwright.registry.prepared import PreparedWrite, Write
from toolwright.registry.rows import Row


@dataclass(frozen=True, slots=True)
class Backend:
    """What differs from one kind of database to another."""

    label: str
    """How errors name it: a path, or a URL without its password."""
    writer: Engine
    """Its transactions may write; they wait for one another where the database needs that."""
    reader: Engine
    """Its transactions only read, beside a writer."""
    lock_schema: Callable[[Connection], None]
    """Called first in the transaction that changes the schema: returns when no other process does the same."""


class Database:
    """Transactions on a `Backend`, with its failures turned into `StoreUnavailable` and `StoreCorrupt`."""

    def __init__(self, backend: Backend) -> None:
        """Use `backend`; nothing is opened yet."""
        self._backend = backend
        self._closed = False

    @property
    def label(self) -> str:
        """How errors name the database."""
        return self._backend.label

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a transaction that sees one state of the database.

        Raises:
            StoreUnavailable, StoreCorrupt: the database failed.
        """
        with self._transaction(self._backend.reader) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in a transaction that is committed at the end, or rolled back by an exception.

        Raises:
            StoreUnavailable, StoreCorrupt: the database failed; nothing was kept.
        """
        with self._transaction(self._backend.writer) as connection:
            yield connection

    def prepare(self, write: Write) -> Callable[[Row], int]:
        """Return a quick way to write one row, each as a transaction of its own.

        What it returns takes the row, returns how many rows were written, and raises like `writing`.
        """
        statement = PreparedWrite(self._backend.writer, write)

        def execute(row: Row) -> int:
            with self._open():
                return statement.execute(row)

        return execute

    @contextmanager
    def changing_schema(self) -> Iterator[Connection]:
        """Like `writing`, but at most one process at a time."""
        with self.writing() as connection:
            self._backend.lock_schema(connection)
            yield connection

    def close(self) -> None:
        """Close all connections. Later transactions raise `StoreUnavailable`."""
        self._closed = True
        self._backend.writer.dispose()
        self._backend.reader.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        with self._open(), engine.begin() as connection:
            yield connection

    @contextmanager
    def _open(self) -> Iterator[None]:
        if self._closed:
            raise StoreUnavailable(f"the registry {self.label} was closed; open it again")
        with store_faults(self.label):
            yield
