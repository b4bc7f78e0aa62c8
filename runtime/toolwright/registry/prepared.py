"""Writes that are compiled once, for those that every call of a tool waits for.

SQLAlchemy's own road takes four times as long as the database, most of all when its code has gone cold
between two calls. The statements are still SQLAlchemy's, so they fit every database.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Engine, Insert, Table, Update, bindparam, exc, insert, update

from toolwright.registry.rows import Row

_KEY = "key_of_row"


@dataclass(frozen=True, slots=True)
class Write:
    """A statement that takes its values from a row."""

    statement: Insert | Update
    columns: tuple[str, ...]
    """Columns that it sets. Their types must be ones that drivers take as they are: texts, numbers."""
    key: str = ""
    """Column that names the row to change; empty for an insert."""


def insert_all(table: Table) -> Write:
    """Return an insert of all columns of `table` but those that the database numbers itself."""
    # inline: nobody asks for the number that the row was given
    return Write(insert(table).inline(), _settable(table))


def update_all(table: Table, key: Column[str], condition: ColumnElement[bool]) -> Write:
    """Return an update of the row with the same `key`, if it meets `condition`."""
    statement = update(table).where(key == bindparam(_KEY), condition)
    return Write(statement, tuple(name for name in _settable(table) if name != key.name), key.name)


class PreparedWrite:
    """Writes one row in a transaction of its own, through the engine's pool."""

    def __init__(self, engine: Engine, write: Write) -> None:
        """Compile `write` for the database of `engine`."""
        self._engine = engine
        self._key = write.key
        compiled = write.statement.compile(dialect=engine.dialect, column_keys=list(write.columns))
        self._statement = str(compiled)
        given = {*write.columns, _KEY}
        self._fixed = {name: value for name, value in compiled.params.items() if name not in given}
        self._order = compiled.positiontup if compiled.positional else None

    def execute(self, row: Row) -> int:
        """Write `row`, commit, and return how many rows were written.

        Raises:
            sqlalchemy.exc.IntegrityError: a constraint forbids it.
            sqlalchemy.exc.SQLAlchemyError: the database failed; the row was not kept.
        """
        values = row | self._fixed | ({_KEY: row[self._key]} if self._key else {})
        parameters = values if self._order is None else [values[name] for name in self._order]
        dbapi = self._engine.dialect.loaded_dbapi
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(self._statement, parameters)
            connection.commit()
            return int(cursor.rowcount)
        except dbapi.IntegrityError as fault:
            raise exc.IntegrityError(self._statement, None, fault) from fault
        except dbapi.Error as fault:
            raise exc.DBAPIError(self._statement, None, fault) from fault
        finally:
            connection.close()  # gives it back to the pool, rolled back if it did not come to the commit


def _settable(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns if column is not table.autoincrement_column)
