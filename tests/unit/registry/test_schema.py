"""The database's schema: how it comes about, and whose it may be."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from toolwright.errors import StoreCorrupt, StoreUnavailable
from toolwright.registry.open import open_store
from toolwright.registry.schema import MIGRATIONS
from toolwright.registry.tables import METADATA, SCHEMA_VERSION, VERSION_TABLE
from toolwright.registry.testing import sample_task


def run_sql(path: Path, *statements: str) -> None:
    """Run statements on the file, past the store."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a registry with one task."""
    path = tmp_path / "registry.db"
    with closing(open_store(path)) as store:
        store.save_task(sample_task())
    return path


def test_migrations_lead_to_the_tables(database: Path) -> None:
    """What the migrations make is what `tables.py` declares, and nothing else."""
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "include_name": _is_ours}
        )
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_revision() == SCHEMA_VERSION
    engine.dispose()


def _is_ours(name: str | None, kind: str, _: object) -> bool:
    """Full text search keeps its own tables, which no two kinds of database have alike."""
    return not (kind == "table" and (name or "").startswith("search_terms"))


def test_the_newest_migration_is_the_schema_version() -> None:
    """A migration that is added without raising SCHEMA_VERSION would never run."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    assert script.get_heads() == [SCHEMA_VERSION]
    assert all(revision.revision.isdecimal() for revision in script.walk_revisions())


@pytest.mark.parametrize("version", ["9999", "0008", "from_the_future"])
def test_a_newer_schema_is_refused_by_name(database: Path, version: str) -> None:
    """An older program touches nothing of a newer registry, and names both versions."""
    run_sql(database, f"UPDATE {VERSION_TABLE} SET version_num = '{version}'")
    before = database.read_bytes()
    with pytest.raises(StoreUnavailable) as caught:
        open_store(database)

    assert version in str(caught.value)
    assert SCHEMA_VERSION in str(caught.value)
    assert str(database) in str(caught.value)
    assert database.read_bytes() == before


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """No tables are added to a database that is not ours."""
    path = tmp_path / "other.db"
    run_sql(path, "CREATE TABLE songs (title TEXT)")

    with pytest.raises(StoreUnavailable, match="songs"):
        open_store(path)


@pytest.mark.parametrize("change", ["DELETE FROM {}", "INSERT INTO {} VALUES ('0008')"])
def test_a_schema_without_one_version_is_damaged(database: Path, change: str) -> None:
    """A registry that does not say what it is, is not used."""
    run_sql(database, change.format(VERSION_TABLE))

    with pytest.raises(StoreCorrupt, match="schema versions"):
        open_store(database)


def test_a_lost_table_is_damage(database: Path) -> None:
    """The version says that a table is there; without it the registry is damaged."""
    run_sql(database, "DROP TABLE tasks")

    with closing(open_store(database)) as store, pytest.raises(StoreCorrupt, match="tasks"):
        store.headings()


def test_an_empty_file_becomes_a_registry(tmp_path: Path) -> None:
    """What a process leaves that was killed while it made the file is taken over."""
    path = tmp_path / "registry.db"
    path.touch()

    with closing(open_store(path)) as store:
        assert list(store.headings()) == []
