"""A server in a process of its own, as `toolwright serve` starts it: it must not share our interpreter's lock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from toolwright.client import Client
from toolwright.domain.shown import shown_line
from toolwright.errors import SandboxUnavailable

_COMMAND: Final = "from toolwright.cli.main import main; main()"
_STOP_S: Final = 60
_TRIES: Final = 3
_PREFIX: Final = "TOOLWRIGHT_"


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that takes calls."""

    pid: int
    client: Client
    """Connected to it; for all threads."""


@contextmanager
def server_process(settings: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[ServerProcess]:
    """Start `toolwright serve`, which first attacks each layer of its sandbox; leaving the context stops it.

    Args:
        settings: by dotted name, such as `sandbox.runtime`; over those of the environment.
        environment: of the process, its settings and the engine's address included.

    Raises:
        SandboxUnavailable: it does not serve; the text has its last words.
    """
    with ExitStack() as stack:
        for tries_left in reversed(range(_TRIES)):
            try:
                server = stack.enter_context(_started(settings, environment))
                break
            except SandboxUnavailable:  # the check at its start holds layers to times, which a busy machine misses
                if not tries_left:
                    raise
        yield server


@contextmanager
def _started(settings: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[ServerProcess]:
    with tempfile.TemporaryDirectory(prefix="toolwright-bench-") as directory:
        place, log = Path(directory), Path(directory, "log")
        own = {"state_dir": place / "state", "listen": f"unix:{place}/server.sock", "models.offline": "true"}
        variables = {_variable(name): str(value) for name, value in {**own, **settings}.items()}
        with log.open("wb") as stderr:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-c", _COMMAND, "serve", "--json"],
                env={**environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        try:
            with Client(_address(process, log), timeout_s=120) as client:
                yield ServerProcess(process.pid, client)
        finally:
            _stop(process)


def base_environment() -> dict[str, str]:
    """Return this process' environment without what would make the command use another server."""
    return {name: value for name, value in os.environ.items() if name != f"{_PREFIX}SERVER"}


def _variable(dotted: str) -> str:
    return _PREFIX + dotted.replace(".", "__").upper()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    line = process.stdout.readline() if process.stdout else b""
    found: dict[str, Any] = {}
    with suppress(ValueError):
        found = json.loads(line)
    if found.get("status") == "SERVING":
        return str(found["address"])
    words = shown_line(str(found.get("reason", "")) or log.read_text(encoding="utf-8", errors="replace")[-500:])
    raise SandboxUnavailable(f"the bench's own server does not serve: {words}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
