"""Other processes that use the same registry."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

StartWriter = Callable[..., "subprocess.Popen[str]"]
WRITER = Path(__file__).with_name("writer_process.py")


@pytest.fixture
def start_writer() -> Iterator[StartWriter]:
    """Start `writer_process.py` with the arguments given; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(WRITER), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
