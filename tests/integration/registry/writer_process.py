"""A process that writes to a registry and reports what was acknowledged. Run by the tests beside it.

writer_process.py PATH loop PREFIX          write until killed
writer_process.py PATH admit NAME COUNT     admit COUNT versions of NAME
writer_process.py PATH hold                 keep the database locked until stdin ends
writer_process.py PATH open                 open it once, at the first byte on stdin
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import sys
from contextlib import closing

from toolwright.registry.base import Store
from toolwright.registry.open import open_store
from toolwright.registry.testing import (
    sample_attempt,
    sample_execution,
    sample_making,
    sample_record,
    sample_task,
    sample_use,
    sample_version,
)


def report(*words: object) -> None:
    """Write one line in one system call, so that a kill cannot leave half of it."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def admit(store: Store, name: str, key: str) -> int:
    """Admit a version and record that are found under `key`; return its number."""
    version = sample_version(name, code=f"def add(a, b):\n    return '{key}'\n" + "# filler\n" * 200)
    return store.admit(version, sample_record(version, f"v-{key}"), sample_task(name)).number


def loop(store: Store, prefix: str) -> None:
    """Write every kind of thing, reporting each once it is acknowledged."""
    for n in itertools.count():
        key = f"{prefix}-{n}"
        store.add_execution(sample_execution(key))
        report("execution", key)
        number = admit(store, "add", key)
        report("version", key, number)
        store.start_making(sample_making(key))
        store.add_attempt(sample_attempt(key, reply="r" * 5_000))
        store.ledger.add(sample_use())
        store.finish_making(key, at=1.0)
        report("making", key)


def hold(path: str) -> None:
    """Hold the write lock as any other program could."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        report("held")
        sys.stdin.read()


def main(path: str, action: str, *arguments: str) -> None:
    """Do what the command line says."""
    if action == "hold":
        hold(path)
        return
    report("ready")
    if action in {"open", "admit"}:
        sys.stdin.read(1)
    with closing(open_store(path, wait_s=30.0)) as store:
        match action:
            case "loop":
                loop(store, arguments[0])
            case "admit":
                for n in range(int(arguments[1])):
                    report(admit(store, arguments[0], f"{os.getpid()}-{n}"))
            case _:
                report("tools", len(store.list_tools()))


if __name__ == "__main__":
    main(*sys.argv[1:])
