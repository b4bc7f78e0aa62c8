"""A container engine of the test's own, which it may stop and start while the machine's own goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from toolwright.errors import EngineUnavailable
from toolwright.sandbox.engine import Engine, find_engine

_START_S: Final = 60.0
_STOP_S: Final = 30.0
GHOST: Final = "ghost"
"""A runtime that the engine knows by name, and whose program is not there."""


@dataclass
class SecondEngine:
    """One engine with nothing shared but the kernel."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"unix://{self.directory}/docker.sock"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    # Without a network namespace of its own it takes the machine's bridge away from the first engine.
                    "unshare",
                    "--net",
                    "dockerd",
                    f"--config-file={self.directory}/daemon.json",
                    f"--data-root={self.directory}/data",
                    f"--exec-root={self.directory}/run",
                    f"--pidfile={self.directory}/pid",
                    f"--host={self.address}",
                    "--bridge=none",
                    "--iptables=false",
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while True:
            if self._answers():
                return
            if self.process is not None:
                told = (self.directory / "log").read_text(errors="replace")[-500:]
                assert self.process.poll() is None, f"NOT PROVEN: no second engine: {told}"
                assert time.monotonic() < deadline, f"NOT PROVEN: the second engine does not answer: {told}"
                time.sleep(0.1)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:  # the client library leaves one open that finds nobody
            try:
                probe.connect(self.address.removeprefix("unix://"))
            except OSError:
                return False
        try:
            with closing(find_engine(self.address).client):
                return True
        except EngineUnavailable:
            return False

    def stop(self) -> None:
        """Stop it as an operator does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(_STOP_S)

    @contextmanager
    def connected(self) -> Iterator[Engine]:
        """Connect to it."""
        engine = find_engine(self.address)
        with closing(engine.client):
            yield engine

    def remove_containers(self) -> None:
        """Remove whatever it has."""
        with self.connected() as engine:
            for one in engine.client.containers.list(all=True, ignore_removed=True):
                with suppress(Exception):
                    one.remove(force=True)

    def clean_up(self) -> None:
        """Leave nothing of it."""
        if self._answers():
            with suppress(Exception):
                self.remove_containers()
        with suppress(Exception):
            self.stop()
        with suppress(OSError, ValueError):
            os.kill(int((self.directory / "run/containerd/containerd.pid").read_text()), signal.SIGKILL)
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
        for place in sorted((line.split()[1] for line in mounts), reverse=True):
            if place.startswith(f"{self.directory}/"):
                subprocess.run(["umount", "-l", place], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def second_engine(first: Engine, image: str, *, live_restore: bool = False) -> Iterator[SecondEngine]:
    """Start an engine that has `image` of the first one; without the right to do so nothing is proven."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("NOT PROVEN: a second engine needs root and dockerd")
    directory = Path(tempfile.mkdtemp(prefix="tw-engine-", dir="/var/tmp"))  # a short path, for its sockets
    settings = {"live-restore": live_restore, "runtimes": {GHOST: {"path": "/nonexistent/ghost"}}}
    (directory / "daemon.json").write_text(json.dumps(settings))
    engine = SecondEngine(directory)
    try:
        engine.start()
        with engine.connected() as second:
            second.client.images.load(b"".join(first.client.api.get_image(image)))
            second.client.images.get(image)
        yield engine
    finally:
        engine.clean_up()
