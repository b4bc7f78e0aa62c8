"""A machine of fake commands: an engine that listens on a socket, and apt, sudo and id that do as told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# Answers /_ping on the socket that --host names, as dockerd does; what else it does is written by its first lines.
DOCKERD = """#!{python}
import http.server, os, socketserver, sys
run = {run!r}
with open(run + "/started", "a") as file:
    file.write(" ".join(sys.argv[1:]) + chr(10))
with open(run + "/pids", "a") as file:
    file.write(str(os.getpid()) + chr(10))
{first}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")
    def address_string(self):
        return "unix"
    def log_message(self, *arguments):
        pass
with open(run + "/docker.pid", "w") as file:
    file.write(str(os.getpid()))
with open("/proc/self/comm", "w") as file:
    file.write("dockerd")
socketserver.UnixStreamServer(run + "/docker.sock", Handler).serve_forever()
"""


@dataclass
class Machine:
    """Where the engine script runs, with nothing of the real machine but its shell."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def run(self) -> Path:
        """Stands for /var/run."""
        return self.home / "run"

    @property
    def socket(self) -> Path:
        """Where the engine of this machine listens."""
        return self.run / "docker.sock"

    def add_command(self, name: str, text: str) -> None:
        """Put a program on the path."""
        path = self.home / "bin" / name
        # What is there may be a link to the real command, which must not be written through.
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def dockerd(self, first: str = "") -> str:
        """Return an engine's program that runs the lines `first` before it listens."""
        return DOCKERD.format(python=sys.executable, run=str(self.run), first=first)

    def engine(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run scripts/engine.sh here."""
        return subprocess.run(
            ["/bin/bash", str(ROOT / "scripts" / "engine.sh"), *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def started(self) -> list[str]:
        """Return the options of each start of the engine."""
        path = self.run / "started"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def close(self) -> None:
        """End the engines that were started."""
        path = self.run / "pids"
        for pid in path.read_text(encoding="utf-8").split() if path.exists() else []:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue


COMMANDS = (
    "cat",
    "chmod",
    "chown",
    "dirname",
    "env",
    "find",
    "grep",
    "id",
    "nohup",
    "rm",
    "sed",
    "setsid",
    "sh",
    "sleep",
    "tail",
)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine with no engine, neither running nor installed, and no apt."""
    # A socket's path is 107 bytes at most, which pytest's own directory may exceed.
    with tempfile.TemporaryDirectory(prefix="tw-") as name:
        machine = _machine(Path(name))
        yield machine
        machine.close()


def _machine(home: Path) -> Machine:
    for name in ("bin", "run", "etc"):
        (home / name).mkdir()
    machine = Machine(home)
    for name in COMMANDS:
        (home / "bin" / name).symlink_to(f"/usr/bin/{name}")
    # Who runs the tests may or may not be root; either way a command "as root" just runs.
    machine.add_command("sudo", '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n')
    machine.environment = {
        "PATH": str(home / "bin"),
        "HOME": str(home),
        "TOOLWRIGHT_ENGINE_RUN": str(machine.run),
        "TOOLWRIGHT_ENGINE_LOG": str(home / "dockerd.log"),
        "TOOLWRIGHT_ENGINE_WAIT_S": "10",
        "TOOLWRIGHT_SBIN": "",
        "TOOLWRIGHT_ETC": str(home / "etc"),
    }
    return machine
