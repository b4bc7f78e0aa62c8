"""The README's promises: every command and every program in it runs as it stands there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolwright.client import Client
from toolwright.domain.call import Isolation
from toolwright.server import open_server
from toolwright.settings import load_settings

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
# `make test` is what runs this test; it cannot run itself.
SELF = "make test"
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line and line != SELF]
# Needs a real model and its key; the same commands run with the offline model above them.
WITH_A_KEY = "OPENAI_API_KEY"
# The one command whose function fails on purpose, to show a limit.
EXPECTED_STATUS: dict[str, int] = {}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory that looks like the checkout to the commands, so that they leave nothing in the real one."""
    place = tmp_path_factory.mktemp("checkout")
    for name in ("docs", "Makefile", "scripts", "sandbox_images", ".venv", "runtime", "pyproject.toml"):
        (place / name).symlink_to(ROOT / name)
    yield place
    shutil.rmtree(place / ".toolwright", ignore_errors=True)


_LONG = ("doctor --attacks",)
_TYPED = [
    pytest.param(line, marks=pytest.mark.slow) if any(part in line for part in _LONG) else line
    for line in COMMANDS
    if not line.startswith("make ")
]


@pytest.mark.parametrize("command", _TYPED)
def test_every_command_of_the_readme_runs(checkout: Path, command: str) -> None:
    """Typed as it stands, in the README's order, it does what it says."""
    ended = subprocess.run(
        ["bash", "-c", command], cwd=checkout, capture_output=True, text=True, timeout=100, check=False
    )

    assert ended.returncode == EXPECTED_STATUS.get(command, 0), ended.stdout + ended.stderr


def test_make_demo_ends_with_answers_and_the_curve(checkout: Path) -> None:
    """The first command a newcomer types: tools made, a wrong one caught, answers, and the picture."""
    ended = subprocess.run(["make", "-C", str(ROOT), "demo"], capture_output=True, text=True, timeout=110, check=False)

    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert "6 of 6 tools made" in ended.stdout
    assert "rejected in verify" in ended.stdout
    assert (ROOT / "toolwright-demo-cost.svg").read_text(encoding="utf-8").startswith("<")


def test_program_of_the_readme_runs(tmp_path: Path) -> None:
    """The Python shown works against a server, from a process of its own."""
    (program,) = [text for kind, text in BLOCKS if kind == "python"]
    settings = load_settings({"state_dir": str(tmp_path)})
    with open_server(settings) as server:
        text = program.replace('"127.0.0.1:7433"', repr(server.address))
        ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)
        with Client(server.address) as client:
            assert client.healthy()

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("SUCCESS 42")


def test_settings_of_the_readme_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files shown are taken by the strict reader: no name in them is made up."""
    texts = [text for kind, text in BLOCKS if kind == "toml"]
    (tmp_path / "toolwright.toml").write_text("\n".join(texts), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    settings = load_settings()

    assert settings.models.maker.model == "gpt-4o"
    assert settings.isolation.policy.level("default", "parse_csv") is Isolation.CALL


def test_no_command_escapes_the_tests() -> None:
    """Commands stand in `sh` blocks, which are run; a `text` block holds only pictures, serve, and what needs a key."""
    for kind, text in BLOCKS:
        if kind == "text" and ".venv/bin/" in text:
            assert WITH_A_KEY in text or "toolwright serve" in text
