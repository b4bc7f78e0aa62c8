"""Publishes a version in a registry and is killed on the way, at each point in turn.

publisher_process.py BASE DIRECTORY     prints for each point, counted from 0, what came before it: the copy of BASE
                                        that was written to is DIRECTORY/POINT.db. Ends with the point at which it was
                                        not killed.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from toolwright.registry.open import open_store
from toolwright.registry.testing import sample_record, sample_task, sample_version

NEW = sample_version(code="def add(a, b):\n    return b + a\n")
TASK = sample_task(description="Add two numbers, the second one first.")
RECORD = sample_record(NEW, "v-2", task_digest=TASK.digest)


def kill_at(point: int, report: Callable[[str], None]) -> None:
    """Kill this process before and after each statement of a transaction, and before its commit: at the one wanted."""
    passed = itertools.count()

    def step(what: str) -> None:
        if next(passed) == point:
            report(what)
            os.kill(os.getpid(), signal.SIGKILL)

    def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        step(f"before {statement.split(maxsplit=3)[:3]}")

    def after(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        step(f"after {statement.split(maxsplit=3)[:3]}")

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    event.listen(Engine, "commit", lambda _: step("before the commit"))


def publish(path: Path, point: int) -> None:
    """Publish in a process of its own, killed at `point`."""

    def report(what: str) -> None:
        os.write(1, f"{what}\n".encode())

    with closing(open_store(path)) as store:
        kill_at(point, report)
        store.admit(NEW, RECORD, TASK)
    os._exit(0)


def main(base: str, directory: str) -> None:
    """Kill one process after the other, until one comes to its end."""
    for point in itertools.count():
        path = Path(directory) / f"{point}.db"
        shutil.copy(base, path)
        child = os.fork()
        if child == 0:
            publish(path, point)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            os.write(1, f"exit {os.WEXITSTATUS(status)}\n".encode())
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
