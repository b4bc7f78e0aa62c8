"""Several processes use one registry at once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from toolwright.errors import StoreUnavailable
from toolwright.registry.open import open_store
from toolwright.registry.testing import sample_execution

StartWriter = Callable[..., "subprocess.Popen[str]"]


def let_go(processes: list[subprocess.Popen[str]]) -> list[list[str]]:
    """Start all of them at the same moment, once each is ready; return the lines that each wrote."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go")
        process.stdin.flush()
    lines = [process.communicate(timeout=60)[0].split("\n")[:-1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return lines


def test_four_processes_make_one_database(tmp_path: Path, start_writer: StartWriter) -> None:
    """Opening a registry that is not there yet, all at once: one makes it, none fails."""
    for attempt in range(3):
        path = tmp_path / f"state-{attempt}" / "registry.db"
        assert let_go([start_writer(path, "open") for _ in range(4)]) == [["tools 0"]] * 4


def test_two_processes_number_versions_of_one_name(tmp_path: Path, start_writer: StartWriter) -> None:
    """Each number is given once, in two processes as in two threads."""
    path = tmp_path / "registry.db"
    first, second = let_go([start_writer(path, "admit", "add", 30) for _ in range(2)])

    assert len(first) == len(second) == 30
    assert sorted(map(int, first + second)) == list(range(1, 61))


def test_a_locked_registry_is_waited_for_and_then_named(tmp_path: Path, start_writer: StartWriter) -> None:
    """The wait is bounded, reading goes on meanwhile, and nothing is lost when the lock is gone."""
    path = tmp_path / "registry.db"
    with closing(open_store(path, wait_s=0.5)) as store:
        store.add_execution(sample_execution("before"))
        holder = start_writer(path, "hold")
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="locked by another process") as caught:
            store.add_execution(sample_execution("meanwhile"))
        waited = time.monotonic() - began
        with pytest.raises(StoreUnavailable, match="locked by another process"):
            open_store(path, wait_s=0.1)
        assert store.get_execution("before") == sample_execution("before")

        holder.communicate()
        store.add_execution(sample_execution("after"))
        assert store.count_executions() == 2
    assert 0.4 < waited < 3.0
    assert str(path) in str(caught.value)
