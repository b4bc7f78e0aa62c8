"""Every kind of store, empty, for each test of the contract."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from toolwright.registry.base import Store
from toolwright.registry.memory import MemoryStore
from toolwright.registry.sql import SqlStore

POSTGRES = "TOOLWRIGHT_TEST_POSTGRES"


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give an empty store of each kind."""
    match request.param:
        case "memory":
            with closing(MemoryStore()) as opened:
                yield opened
        case "sqlite":
            with closing(SqlStore(f"sqlite:///{tmp_path}/registry.db")) as opened:
                yield opened
        case _:
            if POSTGRES not in os.environ:
                pytest.skip(f"NOT PROVEN for PostgreSQL: {POSTGRES} names no database")
            with _postgres_schema() as url, closing(SqlStore(url)) as opened:
                yield opened


@contextmanager
def _postgres_schema() -> Iterator[URL]:
    """Make a schema of its own in the database that the environment names, dropped afterwards."""
    url = make_url(os.environ[POSTGRES]).set(drivername="postgresql+psycopg")
    name = f"toolwright_{uuid.uuid4().hex}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        yield url.update_query_dict({"options": f"-csearch_path={name}"})
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()
