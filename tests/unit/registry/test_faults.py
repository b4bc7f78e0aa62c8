"""What operators are told when a database fails."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import exc

from toolwright.errors import StoreCorrupt, StoreUnavailable, ToolwrightError
from toolwright.registry.faults import as_store_error, store_faults
from toolwright.registry.rows import DamagedRow


def as_seen_by_callers(fault: Exception) -> ToolwrightError:
    """Return what comes of `fault` inside a transaction."""
    with pytest.raises((StoreUnavailable, StoreCorrupt)) as caught, store_faults("/x/registry.db"):
        raise fault
    assert "/x/registry.db" in str(caught.value)
    return caught.value


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """The operator reads that space is wanted, not an SQL statement."""
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA max_page_count=2")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.close()

    seen = as_seen_by_callers(exc.OperationalError("INSERT …", {"secret": "value"}, caught.value))
    assert isinstance(seen, StoreUnavailable)
    assert "disk is full" in str(seen)
    assert "secret" not in str(seen)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (sqlite3.SQLITE_BUSY, StoreUnavailable, "another process"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreUnavailable, "another process"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, StoreUnavailable, "writable"),
        (sqlite3.SQLITE_CANTOPEN, StoreUnavailable, "cannot be opened"),
        (sqlite3.SQLITE_IOERR_WRITE, StoreUnavailable, "input/output"),
        (sqlite3.SQLITE_NOTADB, StoreUnavailable, "not an SQLite database"),
        (sqlite3.SQLITE_TOOBIG, StoreUnavailable, "size"),
        (sqlite3.SQLITE_INTERNAL, StoreUnavailable, "cannot be used"),
        (sqlite3.SQLITE_CORRUPT, StoreCorrupt, "backup"),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreCorrupt, "backup"),
    ],
)
def test_sqlite_codes(code: int, kind: type[ToolwrightError], words: str) -> None:
    """Extended codes count as their primary one; each says what to do."""
    fault = sqlite3.DatabaseError("what SQLite says")
    fault.sqlite_errorcode = code
    seen = as_seen_by_callers(fault)

    assert type(seen) is kind
    assert words in str(seen)
    assert "what SQLite says" in str(seen)


@pytest.mark.parametrize("text", ["no such table: tasks", "Could not decode to UTF-8 column 'name' with text '\xff'"])
def test_lost_tables_and_broken_text_are_damage(text: str) -> None:
    """What can only come from a damaged file is StoreCorrupt, whatever the driver calls it."""
    assert isinstance(as_seen_by_callers(sqlite3.OperationalError(text)), StoreCorrupt)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (exc.TimeoutError("QueuePool limit of size 1"), "busy"),
        (OSError(28, "No space left on device"), "No space left"),
        (exc.OperationalError("SELECT 1", None, RuntimeError("connection refused\nmore")), "connection refused"),
        (exc.InvalidRequestError(""), "InvalidRequestError"),
    ],
)
def test_other_faults(fault: Exception, words: str) -> None:
    """Pools, files and other drivers: one line, StoreUnavailable."""
    seen = as_seen_by_callers(fault)

    assert isinstance(seen, StoreUnavailable)
    assert words in str(seen)
    assert "\n" not in str(seen)


def test_a_damaged_row_is_corruption() -> None:
    """The text names what is damaged."""
    seen = as_store_error("/x/registry.db", DamagedRow("tool version sha256:00 is not what was kept"))

    assert isinstance(seen, StoreCorrupt)
    assert "sha256:00" in str(seen)


def test_broken_constraints_and_our_own_errors_pass() -> None:
    """Only the author of a statement knows what a constraint means; a bug stays a bug."""
    for fault in (exc.IntegrityError("INSERT", None, RuntimeError("unique")), ZeroDivisionError()):
        with pytest.raises(type(fault)), store_faults("/x/registry.db"):
            raise fault
