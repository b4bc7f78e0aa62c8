"""What the fuzzing tests share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.chance import SEED, VARIABLE

ROOT = Path(__file__).resolve().parents[2]
_AGENT = str(ROOT / "sandbox_images" / "agent")
if _AGENT not in sys.path:  # it is no package of ours in the image; nothing of it is run here
    sys.path.insert(0, _AGENT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say from which seed all chance came."""
    terminalreporter.write_line(f"fuzzed with {VARIABLE}={SEED}")


@pytest.fixture(scope="session")
def fuzzer() -> Path:
    """Where atheris is. Without it nothing was fuzzed by coverage, so that is a failure and no skip."""
    found = subprocess.run([ROOT / "scripts" / "fuzzer.sh"], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.fail(found.stderr if "NOT PROVEN" in found.stderr else f"NOT PROVEN: {found.stderr}")
    return Path(found.stdout.strip())
