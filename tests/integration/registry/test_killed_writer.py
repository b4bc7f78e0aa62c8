"""A registry whose writer is killed at any moment has everything that was acknowledged, and nothing by halves."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from toolwright.domain.record import Making
from toolwright.registry.base import Store
from toolwright.registry.open import open_store
from toolwright.registry.testing import sample_attempt, sample_execution

StartWriter = Callable[..., "subprocess.Popen[str]"]
KILLS = 20


def kill_after(process: subprocess.Popen[str], seconds: float) -> list[list[str]]:
    """Let `process` write for a while, kill it with SIGKILL, and return the lines it had reported."""
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first == "ready\n"
    time.sleep(seconds)
    process.kill()
    rest, _ = process.communicate()
    assert process.returncode == -9
    return [line.split() for line in rest.splitlines()]


def check_integrity(path: Path) -> None:
    """SQLite's own check of every page, index and foreign key."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def check_acknowledged(store: Store, reports: list[list[str]]) -> None:
    """Look for what each reported line speaks of: it is there, whole."""
    makings = set(store.list_makings())
    for words in reports:
        match words:
            case ["execution", key]:
                assert store.get_execution(key) == sample_execution(key)
            case ["version", key, number]:
                tool = store.get_tool(f"add@{number}")
                assert f"'{key}'" in tool.version.source.code
                assert tool.verification_id == f"v-{key}"
            case ["making", key]:
                assert Making(key, "add", 1.5, 1.0) in makings
                assert list(store.list_attempts(key)) == [sample_attempt(key, reply="r" * 5_000)]
            case _:
                pytest.fail(f"not a report: {words}")


def check_admissions(path: Path, store: Store) -> None:
    """Each version has its record, each record its version, and numbers have no gap."""
    with closing(sqlite3.connect(path)) as connection:
        numbers = [number for (number,) in connection.execute("SELECT number FROM tool_versions ORDER BY number")]
        records = connection.execute("SELECT verification_id FROM verifications ORDER BY 1").fetchall()
        wanted = connection.execute("SELECT verification_id FROM tool_versions ORDER BY 1").fetchall()
        last = connection.execute("SELECT last_number FROM tool_names").fetchone()
    assert numbers == list(range(1, len(numbers) + 1))
    assert records == wanted
    assert last == ((len(numbers),) if numbers else None)
    for number in numbers[-3:]:  # what a kill can have left half done is among the last
        tool = store.get_tool(f"add@{number}")
        assert store.get_verification(tool.verification_id).tool_digest == tool.version.digest


@pytest.mark.slow
def test_twenty_kills_lose_nothing(tmp_path: Path, start_writer: StartWriter) -> None:
    """SIGKILL at random moments: all acknowledged entries are there, each time, in one growing file."""
    path = tmp_path / "registry.db"
    chance = random.Random(20)
    acknowledged: list[list[str]] = []
    for kill in range(KILLS):
        new = kill_after(start_writer(path, "loop", f"k{kill}"), chance.uniform(0.02, 0.25))
        acknowledged += new
        with closing(open_store(path)) as store:
            check_acknowledged(store, new)
            check_admissions(path, store)
        check_integrity(path)

    with closing(open_store(path)) as store:
        check_acknowledged(store, acknowledged)
    assert len(acknowledged) > KILLS, "the probe itself works: most writers wrote before they were killed"


def test_a_kill_while_the_database_is_made(tmp_path: Path, start_writer: StartWriter) -> None:
    """SIGKILL during creation and migration: the next one to open finishes the work."""
    chance = random.Random(8)
    for kill in range(8):
        path = tmp_path / f"{kill}.db"
        kill_after(start_writer(path, "loop", "k"), chance.uniform(0.0, 0.25))
        with closing(open_store(path)) as store:
            store.add_execution(sample_execution("after"))
        check_integrity(path)
