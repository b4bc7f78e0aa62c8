"""Small statements that `sql.py` is made of, in SQL that every database understands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from toolwright.registry.rows import Row
from toolwright.registry.storable import is_storable_text, taken
from toolwright.registry.tables import TOOL_NAMES


def fetch_all(connection: Connection, query: Select[Any]) -> Iterator[Row]:
    """Yield all rows that `query` finds."""
    return (row._asdict() for row in connection.execute(query))


def fetch_first(connection: Connection, query: Select[Any], values: Mapping[str, Any] | None = None) -> Row | None:
    """Return the first row that `query` finds with these `values` of its parameters."""
    row = connection.execute(query, values or {}).first()
    return None if row is None else row._asdict()


def find(connection: Connection, table: Table, key: ColumnElement[Any], value: str) -> Row | None:
    """Return the row of `table` with `value` as its `key`."""
    if not is_storable_text(value):  # then it was never stored, and a driver would fail on it
        return None
    return fetch_first(connection, select(table).where(key == value))


def put(connection: Connection, table: Table, key: Column[str], row: Row) -> None:
    """Keep `row`, replacing the one with the same `key`."""
    change = update(table).where(key == row[key.name]).values(row)
    if connection.execute(change).rowcount == 0 and not insert_unless_there(connection, table, row):
        connection.execute(change)


def insert_unless_there(connection: Connection, table: Table, row: Row) -> bool:
    """Return whether `row` was new. Needs no dialect's own upsert, and leaves the transaction usable."""
    try:
        with connection.begin_nested():
            connection.execute(insert(table), row)
    except IntegrityError:
        return False
    return True


@contextmanager
def unless_taken(kind: str, name: str) -> Iterator[None]:
    """Around a transaction that inserts, where the only constraint that can fail is that ids are unique.

    Raises:
        AlreadyExists: it did fail.
    """
    try:
        yield
    except IntegrityError as fault:
        raise taken(kind, name) from fault


def hold_name(connection: Connection, name: str) -> int:
    """Keep others from numbering versions of `name`, or its task, until the transaction ends; return the last number.

    The number is 0 as long as there is no version.
    """
    held = update(TOOL_NAMES).where(TOOL_NAMES.c.name == name).values(last_number=TOOL_NAMES.c.last_number)
    if connection.execute(held).rowcount == 0 and not insert_unless_there(
        connection, TOOL_NAMES, {"name": name, "last_number": 0}
    ):
        connection.execute(held)
    last: int = connection.execute(select(TOOL_NAMES.c.last_number).where(TOOL_NAMES.c.name == name)).scalar_one()
    return last
