"""SQLite: the one module that knows its pragmas, files and locks.

A write-ahead log with `synchronous=NORMAL` loses nothing that was acknowledged when a process is
killed: the log is in the kernel's hands before a commit returns, and the next opener replays it.
Only a power failure can take the last commits (never the database's consistency); `durability="power"`
is `synchronous=FULL`, which forces each commit to the disk.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event

from toolwright.errors import StoreUnavailable
from toolwright.registry.database import Backend
from toolwright.registry.faults import store_faults

Durability = Literal["process", "power"]
"""What may happen without an acknowledged write being lost: a killed process, or a power failure too."""

_SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}
_READERS = 8
_RETRY_S = 0.01
_SMALLEST_PAGE = 512


def sqlite_backend(path: Path, *, durability: Durability = "process", wait_s: float = 5.0) -> Backend:
    """Return a backend for the file `path`, made (mode 0600, in a directory of mode 0700) if there is none.

    Writers wait up to `wait_s` for another thread, and as long again for another process.

    Raises:
        StoreUnavailable: the file cannot be made or written, or is no database.
    """
    label = str(path)
    with store_faults(label):
        _make_file(path)
        _check_file(path)

    def connect() -> sqlite3.Connection:
        return _connect(path, durability, wait_s)

    def connect_reader() -> sqlite3.Connection:
        connection = _connect(path, durability, wait_s)
        connection.execute("PRAGMA query_only=ON")
        return connection

    url = URL.create("sqlite+pysqlite", database=label)
    # A single writing connection queues threads in the pool: cheaper and fairer than SQLite's polling.
    writer = create_engine(url, creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=wait_s)
    reader = create_engine(
        url,
        creator=connect_reader,
        poolclass=QueuePool,
        pool_size=_READERS,
        max_overflow=0,
        pool_timeout=wait_s,
        pool_use_lifo=True,
    )
    # IMMEDIATE takes the write lock at once, so that no transaction finds out half-way that it may not write.
    _begin_with(writer, "BEGIN IMMEDIATE")
    _begin_with(reader, "BEGIN")
    return Backend(label=label, writer=writer, reader=reader, lock_schema=_lock_schema)


def _make_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_dir():
        raise StoreUnavailable(f"the registry {path} is a directory; name a file in it")
    # Only a file that was not there is opened here: closing a second descriptor of a database in use
    # would drop this process's locks on it.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return


def _check_file(path: Path) -> None:
    """Refuse what SQLite would quietly take: a file that it can only read, and a stub, which it would overwrite."""
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        raise StoreUnavailable(f"the registry {path} cannot be written; make the file writable for this user")
    if 0 < path.stat().st_size < _SMALLEST_PAGE:
        raise StoreUnavailable(
            f"the registry {path} is not an SQLite database; name another file, or move this one away"
        )


def _connect(path: Path, durability: Durability, wait_s: float) -> sqlite3.Connection:
    # isolation_level=None: transactions begin where we say so, schema changes included.
    connection = sqlite3.connect(path, timeout=wait_s, isolation_level=None, check_same_thread=False)
    try:
        _use_write_ahead_log(connection, path, wait_s)
        connection.execute(f"PRAGMA synchronous={_SYNCHRONOUS[durability]}")
        connection.execute("PRAGMA foreign_keys=ON")
        # Damage is noticed at the first touch of a page, and no schema in the file can call functions.
        connection.execute("PRAGMA cell_size_check=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection, path: Path, wait_s: float) -> None:
    """Switch the file to a write-ahead log; two processes that do so at once do not wait for each other unasked."""
    give_up = time.monotonic() + wait_s
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(_RETRY_S)
            continue
        if mode != "wal":
            raise StoreUnavailable(
                f"the registry {path} is on a file system without shared memory (journal mode {mode}); "
                "name a file on a local disk"
            )
        return


def _begin_with(engine: Engine, statement: str) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)


def _lock_schema(_: Connection) -> None:
    """Nothing more to do: `BEGIN IMMEDIATE` has locked out every other writer."""
