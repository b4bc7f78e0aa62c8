"""Searching the registry in a database: FTS5 with BM25 in SQLite, text search vectors in PostgreSQL.

Triggers (see migration 0005) number every change of a tool or task and note whose it was, in the transaction that
makes it. A search first brings the index up to the newest number, which is one row to read if nothing has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update

from toolwright.registry import tool_rows
from toolwright.registry.database import Database
from toolwright.registry.search import OFFERED, WEIGHTS, Hit, SearchText
from toolwright.registry.statements import fetch_all, fetch_first, find, insert_unless_there
from toolwright.registry.tables import (
    SEARCH_CHANGES,
    SEARCH_ENTRIES,
    SEARCH_STATE,
    SEARCH_VECTORS,
    TASKS,
    TOOL_VERSIONS,
)
from toolwright.registry.terms import query_terms

_STATE = select(SEARCH_STATE.c.changed, SEARCH_STATE.c.indexed)
_ENTRY = select(SEARCH_ENTRIES.c.name, SEARCH_ENTRIES.c.digest, SEARCH_ENTRIES.c.number)
_FIELDS = "name, about, parameters, samples"
_SQLITE_PUT = text(
    f"INSERT INTO search_terms (rowid, {_FIELDS}) VALUES (:entry, :name, :about, :parameters, :samples)"  # noqa: S608 - constants
)
_SQLITE_DROP = text("DELETE FROM search_terms WHERE rowid = :entry")
_SQLITE_FIND = text(
    "SELECT e.name, e.digest, e.number, -bm25(search_terms, {}, {}, {}, {}) AS score FROM search_terms "  # noqa: S608 - constants
    "JOIN search_entries e ON e.seq = search_terms.rowid WHERE search_terms MATCH :query AND e.number >= :least "
    "ORDER BY score DESC, e.name LIMIT :limit".format(*WEIGHTS)
)
_POSTGRES_PUT = text(
    "INSERT INTO search_terms (entry, vector) VALUES (:entry, "
    "setweight(to_tsvector('simple', :name), 'A') || setweight(to_tsvector('simple', :about), 'B') || "
    "setweight(to_tsvector('simple', :parameters), 'D') || setweight(to_tsvector('simple', :samples), 'C'))"
)
_POSTGRES_DROP = text("DELETE FROM search_terms WHERE entry = :entry")
# Weights stand in the order D, C, B, A; 1 divides by the logarithm of the length.
_POSTGRES_FIND = text(
    "SELECT e.name, e.digest, e.number, ts_rank_cd('{0.25, 0.5, 0.5, 1.0}', t.vector, q, 1) AS score "
    "FROM search_terms t JOIN search_entries e ON e.seq = t.entry, to_tsquery('simple', :query) q "
    "WHERE t.vector @@ q AND e.number >= :least ORDER BY score DESC, e.name LIMIT :limit"
)


class SqlSearch:
    """A `SearchIndex` in a database."""

    def __init__(self, database: Database) -> None:
        """Search in `database`, whose schema is up to date."""
        self._database = database

    def revision(self) -> int:
        """See `SearchIndex`."""
        with self._database.reading() as connection:
            return int(connection.execute(select(SEARCH_STATE.c.changed)).scalar_one())

    def find(self, query: str, *, limit: int, tools_only: bool = False) -> Sequence[Hit]:
        """See `SearchIndex`."""
        self._sync()
        with self._database.reading() as connection:
            return _found(connection, query, limit, least=int(tools_only))

    def all(self, *, limit: int, tools_only: bool = False) -> Sequence[Hit]:
        """See `SearchIndex`."""
        self._sync()
        with self._database.reading() as connection:
            return _listed(connection, limit, least=int(tools_only))

    def candidates(self, query: str, *, limit: int) -> Sequence[Hit]:
        """See `SearchIndex`."""
        self._sync()
        with self._database.reading() as connection:
            every = _listed(connection, limit + 1, least=0)
            return every if len(every) <= limit else _found(connection, query, limit, least=0)

    def put_vector(self, digest: str, model: str, vector: bytes) -> None:
        """See `SearchIndex`."""
        row = {"digest": digest, "model": model, "vector": vector}
        columns = SEARCH_VECTORS.c
        change = update(SEARCH_VECTORS).where(columns.digest == digest, columns.model == model).values(vector=vector)
        with self._database.writing() as connection:
            if connection.execute(change).rowcount == 0 and not insert_unless_there(connection, SEARCH_VECTORS, row):
                connection.execute(change)

    def vectors(self, model: str) -> Mapping[str, bytes]:
        """See `SearchIndex`."""
        self._sync()
        columns = SEARCH_VECTORS.c
        query = select(columns.digest, columns.vector).join(SEARCH_ENTRIES, SEARCH_ENTRIES.c.digest == columns.digest)
        with self._database.reading() as connection:
            rows = fetch_all(connection, query.where(columns.model == model))
            return {row["digest"]: bytes(row["vector"]) for row in rows}

    def _sync(self) -> None:
        with self._database.reading() as connection:
            state = connection.execute(_STATE).one()
        if state.changed == state.indexed:
            return
        with self._database.writing() as connection:
            # Where several may write at once, whoever changes a tool holds this row until its commit.
            state = connection.execute(_STATE.with_for_update()).one()
            names = select(SEARCH_CHANGES.c.name).where(SEARCH_CHANGES.c.revision > state.indexed)
            for name in connection.execute(names).scalars().all():
                _index(connection, name)
            connection.execute(update(SEARCH_STATE).values(indexed=state.changed))


def _index(connection: Connection, name: str) -> None:
    """Make the entry of `name` what the registry says now; none if its versions are all out of use."""
    postgres = connection.dialect.name == "postgresql"
    there = find(connection, SEARCH_ENTRIES, SEARCH_ENTRIES.c.name, name)
    if there is not None:
        connection.execute(_POSTGRES_DROP if postgres else _SQLITE_DROP, {"entry": there["seq"]})
        connection.execute(delete(SEARCH_ENTRIES).where(SEARCH_ENTRIES.c.seq == there["seq"]))
    content = _content(connection, name)
    if content is None:
        return
    digest, number, words = content
    connection.execute(insert(SEARCH_ENTRIES), {"name": name, "digest": digest, "number": number})
    entry = connection.execute(select(SEARCH_ENTRIES.c.seq).where(SEARCH_ENTRIES.c.name == name)).scalar_one()
    row = {"entry": entry, **dict(zip(("name", "about", "parameters", "samples"), words.fields, strict=True))}
    connection.execute(_POSTGRES_PUT if postgres else _SQLITE_PUT, row)


def _content(connection: Connection, name: str) -> tuple[str, int, SearchText] | None:
    columns = TOOL_VERSIONS.c
    versions = select(TOOL_VERSIONS).where(columns.name == name).order_by(columns.number.desc()).limit(1)
    for state in OFFERED:
        row = fetch_first(connection, versions.where(columns.state == state.value))
        if row is not None:
            tool = tool_rows.registered_from(row)
            return row["digest"], tool.number, SearchText.of_tool(tool.version)
    task = find(connection, TASKS, TASKS.c.name, name)
    if task is None or fetch_first(connection, versions) is not None:
        return None
    return task["digest"], 0, SearchText.of_task(tool_rows.task_from(task))


def _listed(connection: Connection, limit: int, *, least: int) -> list[Hit]:
    query = _ENTRY.where(SEARCH_ENTRIES.c.number >= least).order_by(SEARCH_ENTRIES.c.name).limit(bindparam("limit"))
    return [Hit(*row, 0.0) for row in connection.execute(query, {"limit": limit})]


def _found(connection: Connection, query: str, limit: int, *, least: int) -> list[Hit]:
    terms = query_terms(query)
    if not terms:
        return []
    if connection.dialect.name == "postgresql":
        statement, wanted = _POSTGRES_FIND, " | ".join(f"'{term}'" for term in terms)
    else:
        statement, wanted = _SQLITE_FIND, " OR ".join(f'"{term}"' for term in terms)
    rows = connection.execute(statement, {"query": wanted, "least": least, "limit": limit})
    return [Hit(row.name, row.digest, row.number, float(row.score)) for row in rows]
