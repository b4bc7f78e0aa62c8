"""The fuzzer is installed once, from its lock; where it cannot be, that is said aloud."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
PYTHON = """#!/bin/bash
case "$*" in
    -c*) echo fake-311 ;;
    --version) echo Python 3.11.99 ;;
    *) echo "$*" >>"{place}/asked"; [ -e "{place}/wheels" ] && mkdir -p build/fuzzer-fake-311 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose Python installs only if there is a file `wheels`."""
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/fuzzer.sh", "scripts/lib.sh", "requirements-fuzz.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON.format(place=tmp_path), encoding="utf-8")
    python.chmod(0o755)
    return tmp_path


def run(checkout: Path) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    script = checkout / "scripts" / "fuzzer.sh"
    return subprocess.run([script], capture_output=True, text=True, check=False, timeout=60)


def test_it_is_installed_once(checkout: Path) -> None:
    """Stdout is its place; a second run asks pip for nothing, a changed lock does."""
    (checkout / "wheels").touch()

    first, second = run(checkout), run(checkout)
    once = (checkout / "asked").read_text(encoding="utf-8").count("pip install")
    (checkout / "requirements-fuzz.lock").write_text("atheris==9", encoding="utf-8")
    run(checkout)

    assert (first.returncode, second.returncode, once) == (0, 0, 1)
    assert first.stdout == second.stdout == f"{checkout}/build/fuzzer-fake-311\n"
    asked = (checkout / "asked").read_text(encoding="utf-8")
    assert asked.count("pip install") == 2
    assert "--require-hashes" in asked
    assert "--only-binary :all:" in asked


def test_where_there_is_no_wheel_nothing_is_proven(checkout: Path) -> None:
    """It fails each time, says NOT PROVEN, and names no place."""
    for ended in (run(checkout), run(checkout)):
        assert (ended.returncode, ended.stdout) == (3, "")
        assert "NOT PROVEN by coverage-guided fuzzing" in ended.stderr
        assert "Python 3.11.99" in ended.stderr
