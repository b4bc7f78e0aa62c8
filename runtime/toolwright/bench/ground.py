"""What the measuring stands on: the engine, the images, and servers that are started when they are first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from toolwright.bench.server_process import ServerProcess, server_process
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import LABEL_OWNER, LABEL_ROLE

Tell = Callable[[str], None]
"""Says to whoever waits what is being measured."""

_TENANT: Final = {"isolation.default": "tenant"}
"""So that a call may ask for each of the three levels."""
MAIN: Final[Mapping[str, Any]] = _TENANT
FILLED: Final[Mapping[str, Any]] = {**_TENANT, "sandbox.pool.min_ready": 4}
NARROW: Final[Mapping[str, Any]] = {
    **_TENANT,
    "sandbox.pool.min_ready": 1,
    "sandbox.pool.max_containers": 3,
    "sandbox.pool.max_queue": 3,
}
"""Has six places, so that sixty callers are ten times as many."""
NARROW_PLACES: Final = 6


class SkippedSection(Exception):
    """A section cannot be measured here; the text says why. Nothing is made up in its place."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What sections are given."""

    engine: Engine
    image_id: str
    """That the settings name."""
    python: str
    """The interpreter in it."""
    runtime: str
    """That the settings name."""
    science_image: str | None
    """None where it was not built."""
    environment: Mapping[str, str]
    """Of servers: the settings, and the engine's address."""
    tell: Tell
    peers_pythons: tuple[str, ...] = ()
    """Interpreters whose environments have peers; none for our own."""
    peers_image: str = ""
    """An image with that Python and a shell, for peers; empty for none."""
    _stack: ExitStack = field(default_factory=ExitStack)
    _running: dict[str, ServerProcess] = field(default_factory=dict)

    @contextmanager
    def closing(self) -> Iterator[Ground]:
        """Stop all servers at the end."""
        with self._stack:
            yield self

    def main(self) -> ServerProcess:
        """Return the server with the product's defaults; it is the same one in the whole run.

        Raises:
            SandboxUnavailable: it does not serve.
        """
        if "main" not in self._running:
            self._running["main"] = self._stack.enter_context(server_process(MAIN, self.environment))
        return self._running["main"]

    def science(self) -> ServerProcess | None:
        """Return the server of the science image, the same one in the whole run; None where there is no such image.

        Raises:
            SandboxUnavailable: it does not serve.
        """
        if self.science_image is None:
            return None
        if "science" not in self._running:
            settings = {**MAIN, "sandbox.image": self.science_image}
            self._running["science"] = self._stack.enter_context(server_process(settings, self.environment))
        return self._running["science"]

    @contextmanager
    def server(self, settings: Mapping[str, Any]) -> Iterator[ServerProcess]:
        """Start a server for one section.

        Raises:
            SandboxUnavailable: it does not serve.
        """
        with server_process(settings, self.environment) as server:
            yield server

    def containers(self, server: ServerProcess) -> list[str]:
        """Return the ids of the sandboxes that run for `server`."""
        found = self.engine.client.containers.list(filters={"label": f"{LABEL_ROLE}=sandbox"}, ignore_removed=True)
        return [one.id for one in found if f"/{server.pid}/" in one.labels.get(LABEL_OWNER, "") and one.id]

    def init_pid(self, container_id: str) -> int:
        """Return the process of a container's agent, as this machine numbers it.

        Raises:
            SkippedSection: the engine's processes cannot be seen from here.
        """
        pid = int(self.engine.client.api.inspect_container(container_id)["State"]["Pid"])
        if not is_here(pid, container_id):
            raise SkippedSection("the engine's processes cannot be seen from here: it runs on another machine")
        return pid


def is_here(pid: int, container_id: str) -> bool:
    """Return whether process `pid` of this machine is of that container."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as groups:  # noqa: PTH123 - one line, no path to build
            return container_id in groups.read()
    except OSError:
        return False
