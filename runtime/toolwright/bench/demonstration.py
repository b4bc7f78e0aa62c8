"""How long `toolwright demo` takes, images built."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from toolwright.bench.ground import Ground
from toolwright.bench.plan import Plan
from toolwright.bench.spread import rounded
from toolwright.errors import SandboxUnavailable

_COMMAND = "from toolwright.cli.main import main; main()"


def measure_demo(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Run it once.

    Raises:
        SandboxUnavailable: it did not go as it should.
    """
    del plan  # once, however quick
    with tempfile.TemporaryDirectory(prefix="toolwright-bench-") as directory:
        started = time.perf_counter()
        ran = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", _COMMAND, "demo", "--json", "--curve", str(Path(directory, "curve.svg"))],
            check=False,
            capture_output=True,
            env=dict(ground.environment),
            cwd=directory,
            timeout=300,
        )
        took = time.perf_counter() - started
    if ran.returncode:
        raise SandboxUnavailable(f"`toolwright demo` ended with status {ran.returncode}")
    return {"seconds": rounded(took)}
