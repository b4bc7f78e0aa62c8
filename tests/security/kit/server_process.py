"""A real server in a process of its own, as `toolwright serve` starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from docker.models.containers import Container

from toolwright.client import Client
from toolwright.registry.base import Store
from toolwright.registry.open import open_store
from toolwright.registry.signing import Signer
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import LABEL_OWNER

_STOP_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that takes calls."""

    address: str
    process: subprocess.Popen[bytes]
    state_dir: Path
    engine: Engine

    def client(self) -> Client:
        """Return a client of it, with a connection of its own."""
        return Client(self.address, timeout_s=30.0)

    def containers(self) -> list[str]:
        """Return the ids of its containers, whatever state they are in."""
        return [str(one.id) for one in self._owned()]

    def owner(self) -> str:
        """Return the label of its containers."""
        return str(self._owned()[0].labels[LABEL_OWNER])

    def _owned(self) -> list[Container]:
        found = self.engine.client.containers.list(all=True, filters={"label": LABEL_OWNER}, ignore_removed=True)
        return [one for one in found if f"/{self.process.pid}/" in one.labels[LABEL_OWNER]]

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open its registry beside it."""
        store = open_store(self.state_dir / "registry.db")
        try:
            yield store
        finally:
            store.close()

    @property
    def signer(self) -> Signer:
        """What it signs verification records with."""
        return Signer.open(self.state_dir / "signing.key")

    def executions(self) -> int:
        """Return how many calls are on record."""
        with self.store() as store:
            return store.count_executions()

    def log(self) -> str:
        """Return all that it wrote to stderr."""
        return log_of(self.state_dir).read_text(encoding="utf-8", errors="surrogateescape")

    def terminate(self) -> int:
        """Send SIGTERM, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_STOP_S)

    def use(self) -> tuple[int, int]:
        """Return its open descriptors and its threads."""
        process = psutil.Process(self.process.pid)
        return process.num_fds(), process.num_threads()


@contextmanager
def serving(engine: Engine, state_dir: Path, **settings: str) -> Iterator[ServerProcess]:
    """Start a server; kill it at the end unless it has ended.

    Args:
        engine: to look for its containers with.
        state_dir: its directory.
        settings: by the names of the environment without TOOLWRIGHT_, such as `SANDBOX__ISOLATION`.
    """
    environment = os.environ | {f"TOOLWRIGHT_{name}": value for name, value in settings.items()}
    command = [str(Path(sys.executable).with_name("toolwright")), "serve", "--json", "--state-dir", str(state_dir)]
    with ExitStack() as stack:
        for last in (False, False, True):
            process, told = stack.enter_context(_started([*command, "--listen", "127.0.0.1:0"], environment, state_dir))
            # The one layer that is judged by time: a machine that runs other tests at once may be too slow for it.
            if last or told.get("layers") != ["wall clock"]:
                break
            stack.close()
        yield ServerProcess(told["address"], process, state_dir, engine)


@contextmanager
def _started(
    command: list[str], environment: dict[str, str], state_dir: Path
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """Start a server; give it with the document that it says first."""
    with log_of(state_dir).open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment)
    try:
        assert process.stdout is not None
        started = process.stdout.readline()
        assert started, f"NOT PROVEN: no server started, exit status {process.wait(_STOP_S)}"
        yield process, json.loads(started)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(_STOP_S)
        if process.stdout is not None:
            process.stdout.close()


def log_of(state_dir: Path) -> Path:
    """Return where the log of a server with that directory goes."""
    return state_dir.parent / f"{state_dir.name}.log"


def wait_until(condition: Callable[[], object], timeout_s: float, what: str) -> float:
    """Wait until `condition` holds; return the seconds it took, or fail with `what`."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < timeout_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - begun
