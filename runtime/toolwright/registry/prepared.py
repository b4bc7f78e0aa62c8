"""An insert that is compiled once, for the one write that every call of a tool waits for.

SQLAlchemy's own road takes four times as long as the database, most of all when its code has gone cold
between two calls. The statement is still SQLAlchemy's, so it fits every database.
"""

from __future__ import annotations

from sqlalchemy import Engine, Table, exc, insert

from toolwright.registry.rows import Row


class PreparedInsert:
    """Inserts one row in a transaction of its own, through the engine's pool."""

    def __init__(self, engine: Engine, table: Table) -> None:
        """Compile for all columns of `table` but those that the database numbers itself.

        The columns' types must be ones that drivers take as they are: texts, numbers.
        """
        self._engine = engine
        columns = [column.name for column in table.columns if column is not table.autoincrement_column]
        # inline: nobody asks for the number that the row was given
        compiled = insert(table).inline().compile(dialect=engine.dialect, column_keys=columns)
        self._statement = str(compiled)
        self._order = compiled.positiontup if compiled.positional else None

    def execute(self, row: Row) -> None:
        """Insert `row` and commit.

        Raises:
            sqlalchemy.exc.IntegrityError: a constraint forbids it.
            sqlalchemy.exc.SQLAlchemyError: the database failed; the row was not kept.
        """
        parameters = row if self._order is None else [row[name] for name in self._order]
        dbapi = self._engine.dialect.loaded_dbapi
        connection = self._engine.raw_connection()
        try:
            connection.cursor().execute(self._statement, parameters)
            connection.commit()
        except dbapi.IntegrityError as fault:
            raise exc.IntegrityError(self._statement, None, fault) from fault
        except dbapi.Error as fault:
            raise exc.DBAPIError(self._statement, None, fault) from fault
        finally:
            connection.close()  # gives it back to the pool, rolled back if it did not come to the commit
