"""`Dependencies` in a database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, insert, select

from toolwright.domain.tool import Standing, ToolState, ToolVersion
from toolwright.errors import NotFound
from toolwright.registry.database import Database
from toolwright.registry.statements import fetch_all
from toolwright.registry.storable import is_storable_text
from toolwright.registry.tables import TOOL_DEPENDENCIES, TOOL_VERSIONS

_VERSIONS = select(TOOL_VERSIONS.c.name, TOOL_VERSIONS.c.number, TOOL_VERSIONS.c.digest, TOOL_VERSIONS.c.state)


class SqlDependencies:
    """See `Dependencies`."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database

    def standings(self, digests: Collection[str]) -> Mapping[str, Standing]:
        """See `Dependencies`."""
        wanted = [digest for digest in digests if is_storable_text(digest)]
        return {found.digest: found for found in self._find(_VERSIONS.where(TOOL_VERSIONS.c.digest.in_(wanted)))}

    def dependants(self, digest: str) -> Sequence[Standing]:
        """See `Dependencies`."""
        if not is_storable_text(digest):
            return []
        made_from = TOOL_DEPENDENCIES.c.part == digest
        query = _VERSIONS.join(TOOL_DEPENDENCIES, TOOL_DEPENDENCIES.c.tool == TOOL_VERSIONS.c.digest).where(made_from)
        return self._find(query.order_by(TOOL_VERSIONS.c.name, TOOL_VERSIONS.c.number))

    def _find(self, query: Select[Any]) -> list[Standing]:
        with self._database.reading() as connection:
            return [
                Standing(f"{row['name']}@{row['number']}", row["digest"], ToolState(row["state"]))
                for row in fetch_all(connection, query)
            ]


def keep_dependencies(connection: Connection, version: ToolVersion) -> None:
    """Keep what `version`, which is kept itself already, is made from; parts of parts too, so no reader follows them.

    Raises:
        NotFound: a part is not kept.
    """
    if not version.dependencies:
        return
    direct = {part.digest for part in version.dependencies}
    kept = set(connection.execute(select(TOOL_VERSIONS.c.digest).where(TOOL_VERSIONS.c.digest.in_(direct))).scalars())
    if missing := direct - kept:
        raise NotFound("tool", min(missing), hint=f"{version.name!r} is made from it")
    below = select(TOOL_DEPENDENCIES.c.part).where(TOOL_DEPENDENCIES.c.tool.in_(direct))
    parts = direct | set(connection.execute(below).scalars())
    connection.execute(insert(TOOL_DEPENDENCIES), [{"tool": version.digest, "part": part} for part in sorted(parts)])
