"""The installed command, as a person would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from toolwright.sandbox.policy import SandboxPolicy

COMMAND = Path(sys.executable).with_name("toolwright")

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a person who has set nothing up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOOLWRIGHT_", "OPENAI_"))}
    return {**kept, "HOME": str(tmp_path)}


@pytest.fixture
def toolwright(policy: SandboxPolicy, tmp_path: Path, environment: dict[str, str]) -> Command:
    """Return a function that runs the command to its end in a directory of the test's own; the image is there."""

    def run(*arguments: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(COMMAND), *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
            cwd=tmp_path,
            env={**environment, **changes},
        )

    return run


@pytest.fixture
def start(policy: SandboxPolicy, tmp_path: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Return a function that starts the command and leaves it running, until the test ends."""
    with ExitStack() as stack:

        def run(*arguments: str | Path) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [str(COMMAND), *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=tmp_path,
                env=environment,
            )
            stack.enter_context(process)  # closes its streams and waits for it
            stack.callback(process.terminate)
            return process

        yield run
