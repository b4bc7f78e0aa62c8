"""`Synonyms` in a database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from toolwright.errors import AlreadyExists, NotFound
from toolwright.registry.database import Database
from toolwright.registry.statements import hold_name, put
from toolwright.registry.storable import check_storable, is_storable_text
from toolwright.registry.tables import SYNONYMS, TOOL_NAMES


class SqlSynonyms:
    """A `Synonyms` for all servers that share the database."""

    def __init__(self, database: Database) -> None:
        """Use `database`."""
        self._database = database

    def add(self, name: str, tool: str) -> None:
        """See `Synonyms`."""
        check_storable({"name": name, "tool": tool}, "synonym")
        with self._database.writing() as connection:
            if hold_name(connection, name):
                raise AlreadyExists(f"{name!r} has versions of its own, so it can stand for no other tool")
            versions = select(TOOL_NAMES.c.last_number).where(TOOL_NAMES.c.name == tool)
            if not connection.execute(versions).scalar_one_or_none():
                raise NotFound("tool", tool)
            put(connection, SYNONYMS, SYNONYMS.c.name, {"name": name, "tool": tool})

    def remove(self, name: str) -> None:
        """See `Synonyms`."""
        with self._database.writing() as connection:
            if not is_storable_text(name) or not forget(connection, name):
                raise NotFound("synonym", name)

    def of(self, tool: str) -> Sequence[str]:
        """See `Synonyms`."""
        if not is_storable_text(tool):
            return []
        query = select(SYNONYMS.c.name).where(SYNONYMS.c.tool == tool).order_by(SYNONYMS.c.name)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())


def forget(connection: Connection, name: str) -> bool:
    """Let `name` stand for nothing any more, and return whether it did."""
    return connection.execute(delete(SYNONYMS).where(SYNONYMS.c.name == name)).rowcount == 1


def target_of(connection: Connection, name: str) -> str | None:
    """Return the name of the tool that `name` stands for."""
    query = select(SYNONYMS.c.tool).where(SYNONYMS.c.name == name)
    return connection.execute(query).scalar_one_or_none()
