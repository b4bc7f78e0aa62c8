"""Where a registry can be, and what is made on opening it."""

from __future__ import annotations

import os
import re
import stat
from contextlib import closing
from pathlib import Path

import pytest

from toolwright.errors import InvalidInput, StoreUnavailable
from toolwright.registry.memory import MemoryStore
from toolwright.registry.open import open_store
from toolwright.registry.sql import SqlStore
from toolwright.registry.testing import sample_execution, sample_task
from toolwright.server import parts
from toolwright.settings import Settings


def mode(path: Path) -> int:
    """Return the permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("name", ["registry.db", "mit Leer%20zeichen/ü?x=1#2.db", "a/b/c/registry"])
def test_a_path_is_taken_literally(tmp_path: Path, name: str) -> None:
    """No character of a path means anything else, and missing directories are made."""
    path = tmp_path / name
    with closing(open_store(path)) as store:
        store.save_task(sample_task())
    with closing(open_store(str(path))) as store:
        assert store.get_task("add") == sample_task()

    assert path.is_file()


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """Directory 0700, file and its companions 0600, whatever the umask is."""
    path = tmp_path / "state" / "registry.db"
    before = os.umask(0)
    try:
        with closing(open_store(path)) as store:
            store.save_task(sample_task())
            modes = {child.name: mode(child) for child in path.parent.iterdir()}
    finally:
        os.umask(before)

    assert mode(path.parent) == 0o700
    assert modes == {"registry.db": 0o600, "registry.db-wal": 0o600, "registry.db-shm": 0o600}


def test_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute and relative SQLite URLs name the same file as the path."""
    monkeypatch.chdir(tmp_path)
    with closing(open_store(tmp_path / "x.db")) as store:
        store.save_task(sample_task())
    for url in (f"sqlite:///{tmp_path}/x.db", "sqlite:///x.db", "sqlite+pysqlite:///x.db"):
        with closing(open_store(url)) as store:
            assert store.get_task("add") == sample_task()


def test_memory() -> None:
    """`memory:` is a registry without a file."""
    assert isinstance(open_store("memory:"), MemoryStore)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///x.db?mode=ro",
        "sqlite://host/x.db",
        "sqlite:///a\x00b",
        "mysql://user:hunter2@host/db",
        "://",
        "postgresql://user:hunter2@host:port/db",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    """Bad URLs are the caller's fault; no password is repeated."""
    with pytest.raises(InvalidInput, match="registry") as caught:
        open_store(url)

    assert "hunter2" not in str(caught.value)


def test_postgres_that_does_not_answer() -> None:
    """Without a driver or a server it is StoreUnavailable, and the password stays secret."""
    with pytest.raises(StoreUnavailable) as caught:
        open_store("postgresql://user:hunter2@127.0.0.1:1/db", wait_s=1.0)

    assert "user:***@127.0.0.1:1/db" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_path_with_nul_is_refused() -> None:
    """No path can hold NUL."""
    with pytest.raises(InvalidInput, match="registry"):
        open_store("a\x00b")


def test_a_directory_is_no_registry(tmp_path: Path) -> None:
    """Naming the directory instead of the file is said to be that."""
    with pytest.raises(StoreUnavailable, match=re.escape(f"{tmp_path} is a directory")):
        open_store(tmp_path)


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    """A directory that cannot be made is StoreUnavailable."""
    (tmp_path / "state").write_text("")

    with pytest.raises(StoreUnavailable, match="registry"):
        open_store(tmp_path / "state" / "registry.db")


@pytest.mark.parametrize("durability", ["process", "power"])
def test_durability(tmp_path: Path, durability: str) -> None:
    """Both kinds write and read."""
    with closing(open_store(tmp_path / "x.db", durability=durability)) as store:  # type: ignore[arg-type]
        store.add_execution(sample_execution())
        assert store.count_executions() == 1


@pytest.mark.parametrize(("durability", "synchronous"), [("process", 1), ("power", 2)])
def test_a_server_keeps_records_as_durably_as_it_is_set(tmp_path: Path, durability: str, synchronous: int) -> None:
    """`power` forces each write to the disk (SQLite's FULL), before any reply tells of it."""
    settings = Settings(state_dir=tmp_path, store_durability=durability)  # type: ignore[arg-type]
    with closing(parts._open_registry(settings)) as store:
        assert isinstance(store, SqlStore)
        with store._database.writing() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == synchronous
