"""Bringing a database to `SCHEMA_VERSION`, once, whoever comes first."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, Text, column, inspect, select, table

from toolwright.errors import StoreCorrupt, StoreUnavailable
from toolwright.registry.database import Database
from toolwright.registry.tables import SCHEMA_VERSION, VERSION_TABLE

MIGRATIONS = Path(__file__).parent / "migrations"

# Alembic keeps the migration that is running in globals of its modules.
_one_migration = threading.Lock()


def upgrade_schema(database: Database) -> None:
    """Run the migrations that `database` still needs, all or none, under its lock.

    Raises:
        StoreUnavailable: its schema is newer than this program, it belongs to another program, it
            cannot be written, or another process held it too long.
        StoreCorrupt: it is damaged.
    """
    with database.changing_schema() as connection:
        version = _read_version(connection, database.label)
        if version == SCHEMA_VERSION:
            return
        if version is not None and not _is_older(version):
            raise StoreUnavailable(
                f"the registry {database.label} has schema version {version!r}, newer than the {SCHEMA_VERSION!r} "
                "that this program knows; use the program that wrote it, or a newer one, or name another file"
            )
        with _one_migration:
            _migrate(connection)


def _read_version(connection: Connection, label: str) -> str | None:
    """Return the schema's version, None for an empty database."""
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        if tables:
            raise StoreUnavailable(
                f"the registry {label} holds tables of another program (such as {tables[0]!r}); name an empty "
                "or new database"
            )
        return None
    query = select(column("version_num", Text)).select_from(table(VERSION_TABLE))
    versions = connection.execute(query).scalars().all()
    if len(versions) != 1:
        raise StoreCorrupt(f"the registry {label} names {len(versions)} schema versions; restore it from a backup")
    return versions[0]


def _is_older(version: str) -> bool:
    return version.isdecimal() and int(version) < int(SCHEMA_VERSION)


def _migrate(connection: Connection) -> None:
    # Imported only when needed: it doubles the time that a command takes to start.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
