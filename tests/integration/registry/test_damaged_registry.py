"""A registry that was damaged, or may not be written, says so, and hands out nothing wrong."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from toolwright.domain.record import VerificationRecord
from toolwright.domain.task import Task
from toolwright.domain.tool import ToolVersion
from toolwright.errors import NotFound, StoreCorrupt, StoreUnavailable
from toolwright.registry.base import Store
from toolwright.registry.open import open_store
from toolwright.registry.testing import sample_execution, sample_record, sample_task, sample_version

VERSION = sample_version(code="def add(a, b):\n    return a + b\n" + "# so many words\n" * 400)
TASK = sample_task(description="Add two numbers. " * 200)
RECORD = sample_record(VERSION, task_digest=TASK.digest)
NOBODY = 65_534


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Make and close a registry with a task, a tool and enough executions to fill many pages."""
    path = tmp_path / "registry.db"
    fill(path)
    return path


def fill(path: Path) -> None:
    """Make a registry at `path`."""
    with closing(open_store(path)) as store:
        store.admit(VERSION, RECORD, TASK)
        for n in range(300):
            store.add_execution(sample_execution(f"e-{n}"))


def change(path: Path, statement: str, *values: object) -> None:
    """Change what is kept, past the store."""
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1


def flip(raw: bytes, bit: int) -> bytes:
    """Return `raw` with one bit flipped."""
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# --- damage to what is kept ---------------------------------------------------------------------------


@pytest.mark.parametrize("bit", [0, 7, 77, 8_000, 30_003])
def test_a_flipped_bit_in_a_source_is_never_returned(database: Path, bit: int) -> None:
    """Whatever way the version is asked for, damaged code does not come out."""
    with closing(sqlite3.connect(database)) as connection:
        (code,) = connection.execute("SELECT code FROM tool_versions").fetchone()
    change(database, "UPDATE tool_versions SET code = ?", flip(code, bit))

    with closing(open_store(database)) as store:
        asks: list[Callable[[], object]] = [
            lambda: store.get_tool("add"),
            lambda: store.get_tool("add@1"),
            lambda: store.get_tool(VERSION.digest),
            store.list_tools,
            lambda: store.admit(VERSION, RECORD, TASK),
        ]
        for ask in asks:
            with pytest.raises(StoreCorrupt, match="backup") as caught:
                ask()
            assert str(database) in str(caught.value)
            assert VERSION.digest in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("function", "subtract"),
        ("function", "not a name"),
        ("definition", "{}"),
        ("definition", "[" * 100_000),
        ("definition", "no JSON"),
        ("state", "trusted"),
        ("code", b"\xff\xfe"),
        ("code", b""),
    ],
)
def test_a_changed_version_is_never_returned(database: Path, column: str, value: object) -> None:
    """Everything that makes a version is under its digest."""
    change(database, f"UPDATE tool_versions SET {column} = ?", value)

    with closing(open_store(database)) as store, pytest.raises(StoreCorrupt):
        store.get_tool("add@1")


def test_a_changed_demonstration_is_never_returned(database: Path) -> None:
    """A model would be taught the wrong call."""
    change(database, """UPDATE tool_versions SET definition = replace(definition, '"3"', '"4"')""")

    with closing(open_store(database)) as store, pytest.raises(StoreCorrupt):
        store.get_tool("add")


def test_a_changed_record_or_task_is_never_returned(database: Path) -> None:
    """Evidence and examples are under digests of their own."""
    change(database, "UPDATE verifications SET body = replace(body, 'runc', 'none')")
    change(database, "UPDATE tasks SET body = replace(body, '2 + 2', '2 + 3')")

    with closing(open_store(database)) as store:
        with pytest.raises(StoreCorrupt, match="v-1"):
            store.get_verification("v-1")
        with pytest.raises(StoreCorrupt, match="add"):
            store.get_task("add")


@pytest.mark.parametrize(
    ("table", "column"), [("verifications", "task_digest"), ("verifications", "tool_digest"), ("tasks", "digest")]
)
def test_evidence_that_points_elsewhere_is_never_returned(database: Path, table: str, column: str) -> None:
    """A record says of which tool and which examples it speaks; neither can be changed beside it."""
    change(database, f"UPDATE {table} SET {column} = ?", "sha256:" + "0" * 64)

    with closing(open_store(database)) as store, pytest.raises(StoreCorrupt):
        read_all(store)


def test_text_that_is_no_utf8_is_damage(database: Path) -> None:
    """The driver cannot decode it; that is not the caller's fault."""
    change(database, "UPDATE executions SET tenant = CAST(x'ff41' AS TEXT) WHERE execution_id = 'e-7'")

    with closing(open_store(database)) as store:
        with pytest.raises(StoreCorrupt):
            store.get_execution("e-7")
        assert store.get_execution("e-8") == sample_execution("e-8")


# --- damage to the file -------------------------------------------------------------------------------


def read_all(store: Store) -> tuple[ToolVersion, VerificationRecord, Task]:
    """Read what trust rests on."""
    version = store.get_tool("add").version
    return version, store.get_verification("v-1"), store.get_task("add")


def test_flipped_bits_anywhere_in_the_file(database: Path) -> None:
    """The right values or an error of ours: never other values, never another exception."""
    whole = database.read_bytes()
    chance = random.Random(1)
    found = 0
    # The header, then anywhere: most of the file is executions, which are not read here.
    for bit in [*range(0, 800, 7), *(chance.randrange(len(whole) * 8) for _ in range(300))]:
        remove(database)
        database.write_bytes(flip(whole, bit))
        with suppress(StoreCorrupt, StoreUnavailable, NotFound), closing(open_store(database, wait_s=0.1)) as store:
            assert read_all(store) == (VERSION, RECORD, TASK)
            found += 1
    assert found > 50, "the probe itself works: many bits do not matter"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file(database: Path, share: float) -> None:
    """A file that lost its end is damaged: nothing of it is used, and it is left as it is."""
    size = int(database.stat().st_size * share)
    os.truncate(database, size)

    with pytest.raises(StoreCorrupt, match="damaged") as caught, closing(open_store(database)) as store:
        read_all(store)
    assert str(database) in str(caught.value)
    assert database.stat().st_size == size


@pytest.mark.parametrize("content", [b"just some text\n" * 100, b"\x00" * 8192, b"x"], ids=["text", "zeros", "short"])
def test_another_kind_of_file(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is refused and left alone."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)

    with pytest.raises(StoreUnavailable, match="not an SQLite database"):
        open_store(path)
    assert path.read_bytes() == content


def remove(path: Path) -> None:
    """Remove a database with its companions."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


# --- files that may not be written --------------------------------------------------------------------


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Root may write everything; for a while, be somebody who may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def theirs() -> Iterator[Path]:
    """Make a registry that belongs to an ordinary user, in a directory of theirs."""
    directory = Path(tempfile.mkdtemp(prefix="toolwright-test-"))
    path = directory / "registry.db"
    fill(path)
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
        os.chown(path, NOBODY, NOBODY)
    yield path
    directory.chmod(0o700)
    shutil.rmtree(directory)


def test_the_probe_can_write(theirs: Path) -> None:
    """The ordinary user of the next tests can use a registry that nobody forbids."""
    with as_ordinary_user(), closing(open_store(theirs)) as store:
        store.add_execution(sample_execution("new"))
        assert store.get_execution("new") == sample_execution("new")


@pytest.mark.parametrize(
    ("file_mode", "directory_mode"), [(0o400, 0o700), (0o000, 0o700), (0o600, 0o500), (0o400, 0o500), (0o600, 0o000)]
)
def test_what_may_not_be_written(theirs: Path, file_mode: int, directory_mode: int) -> None:
    """It is said at once, when the registry is opened, with the file and the remedy."""
    theirs.chmod(file_mode)
    theirs.parent.chmod(directory_mode)
    with as_ordinary_user(), pytest.raises(StoreUnavailable) as caught:
        open_store(theirs)

    assert str(theirs) in str(caught.value)


def test_a_directory_that_may_not_be_made(theirs: Path) -> None:
    """The same where there is no registry yet."""
    theirs.parent.chmod(0o500)
    with as_ordinary_user(), pytest.raises(StoreUnavailable, match="sub"):
        open_store(theirs.parent / "sub" / "registry.db")
