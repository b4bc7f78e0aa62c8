"""Every kind of store, empty, for each test of the contract."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from toolwright.registry.base import Store
from toolwright.registry.memory import MemoryStore
from toolwright.registry.sql import SqlStore

Clock = Callable[[], float]
Open = Callable[[Clock], Store]
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


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """How to open one registry, as two servers would; the one in memory is one process's, so it is the same store."""
    with ExitStack() as stack:
        match request.param:
            case "memory":
                stores: dict[Clock, MemoryStore] = {}
                yield lambda clock: stores.setdefault(clock, MemoryStore(clock=clock))
            case "sqlite":
                yield lambda clock: stack.enter_context(
                    closing(SqlStore(f"sqlite:///{tmp_path}/registry.db", clock=clock))
                )
            case _:
                if POSTGRES not in os.environ:
                    pytest.skip(f"NOT PROVEN for PostgreSQL: {POSTGRES} names no database")
                url = stack.enter_context(_postgres_schema())
                yield lambda clock: stack.enter_context(closing(SqlStore(url, clock=clock)))


@pytest.fixture
def stores(opens: Open) -> tuple[Store, Store]:
    """Give two servers' view of one empty registry."""
    return opens(time.time), opens(time.time)


@pytest.fixture
def clocked(opens: Open) -> tuple[Store, Store, list[float]]:
    """Give two servers' view of one empty registry, and the one clock of both: a list that holds the time."""
    now = [100.0]

    def clock() -> float:
        return now[0]

    return opens(clock), opens(clock), now


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
