"""Fixtures of the command line's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolwright.cli.application import execute
from toolwright.cli.testing import FakeWorld, Ran, RunCli


@pytest.fixture
def world() -> FakeWorld:
    """Return a world in which all goes well."""
    return FakeWorld()


@pytest.fixture
def cli(world: FakeWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCli:
    """Return a function that runs a command line in `world`."""
    monkeypatch.delenv("TOOLWRIGHT_SERVER", raising=False)

    def run(*arguments: str | Path) -> Ran:
        status = execute([str(argument) for argument in arguments], lambda: world)
        captured = capsys.readouterr()
        return Ran(int(status), captured.out, captured.err)

    return run
