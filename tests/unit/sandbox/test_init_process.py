"""A container's first process is only killed where it is certainly that."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from toolwright.sandbox.engine import Engine
from toolwright.sandbox.init_process import InitProcess

pytestmark = pytest.mark.unit


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits."""
    waiting = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield waiting
    waiting.kill()
    waiting.wait(10)


def engine_that_says(state: dict[str, Any]) -> Engine:
    """Return an engine that says this of every container."""
    api = SimpleNamespace(inspect_container=lambda _: state)
    client: Any = SimpleNamespace(api=api)
    return Engine("fake", client, "", {})


def test_it_is_killed_and_gone(process: subprocess.Popen[bytes]) -> None:
    """When `kill` says so, it is dead; a second kill says the same, and one after the close says nothing."""
    found = InitProcess(os.pidfd_open(process.pid))

    assert found.kill()
    assert process.wait(0) == -9
    assert found.kill()
    found.close()
    found.close()
    assert not found.kill()


def test_a_process_of_this_machine_that_is_no_containers_is_left_alone(process: subprocess.Popen[bytes]) -> None:
    """The engine may be on another machine: its number of a process is somebody else's here."""
    assert InitProcess.find(engine_that_says({"State": {"Pid": process.pid}}), "c" * 64) is None
    assert process.poll() is None


def test_it_is_found_by_the_containers_id(process: subprocess.Popen[bytes]) -> None:
    """Its control group bears it; here that of a process of our own stands for it."""
    group = Path(f"/proc/{process.pid}/cgroup").read_text(encoding="ascii").splitlines()[0]

    found = InitProcess.find(engine_that_says({"State": {"Pid": process.pid}}), group)

    assert found is not None
    found.close()


@pytest.mark.parametrize(
    "state", [{}, {"State": {}}, {"State": {"Pid": 0}}, {"State": {"Pid": 2**22 + 1}}, {"State": 1}]
)
def test_without_one_the_engine_has_to_do(state: dict[str, Any]) -> None:
    """One that has ended, never was, or is not told."""
    assert InitProcess.find(engine_that_says(state), "c" * 64) is None
