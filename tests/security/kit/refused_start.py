"""A server that is expected not to start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Refused:
    """How it ended."""

    status: int
    reason: str
    """From the document on stdout."""
    message: str
    told: str
    """All of stderr."""
    pid: int


def refused_start(state_dir: Path, *, timeout_s: float = 60.0, **settings: str) -> Refused:
    """Start a server with `settings`, named as `server_process.serving` takes them, and wait for its end."""
    environment = os.environ | {f"TOOLWRIGHT_{name}": value for name, value in settings.items()}
    command = [str(Path(sys.executable).with_name("toolwright")), "serve", "--json", "--state-dir", str(state_dir)]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            out, told = process.communicate(timeout=timeout_s)
        finally:
            process.kill()
    document: dict[str, Any] = json.loads(out)
    assert "error" in document, f"it started: {document}"
    error = document["error"]
    return Refused(process.returncode, error["reason"], error["message"], told, process.pid)
