"""Finds the container engine: a Docker API that answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import docker
import requests
from docker.errors import DockerException

from toolwright.errors import EngineUnavailable

TIMEOUT_S = 30
"""Longest wait for one answer of the engine, in seconds."""

ENGINE_FAULTS: Final = (
    DockerException,
    requests.RequestException,
    OSError,
    # What the client library makes of an answer that has another form than the API says.
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
"""What a request to an engine raises that fails, is refused, or gets an answer that is none."""

_SHOWN_CHARS = 300


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answered."""

    address: str
    client: docker.DockerClient
    version: str
    info: dict[str, Any]
    """The engine's own account of itself (`docker info`)."""

    @property
    def remaps_users(self) -> bool:
        """Whether container root is no root on the host."""
        return any("name=userns" in option for option in self.info.get("SecurityOptions") or ())

    @property
    def runtimes(self) -> tuple[str, ...]:
        """OCI runtimes it knows, by name."""
        return tuple(sorted(self.info.get("Runtimes") or {}))


def find_engine(docker_host: str | None = None) -> Engine:
    """Return the engine at `docker_host`, or the first that answers where engines usually listen.

    Args:
        docker_host: an address such as `unix:///run/docker.sock` or `tcp://…`. Given, by argument or by
            DOCKER_HOST, it is the only one that is tried.

    Raises:
        EngineUnavailable: none answers. No tool code runs anywhere else instead.
    """
    tried = []
    for address in _addresses(docker_host):
        try:
            return _connect(address)
        except ENGINE_FAULTS as fault:
            tried.append(f"{address} ({_short(fault)})")
    raise EngineUnavailable(
        "No Docker engine answers, so no tool can run. Tried: "
        + ("; ".join(tried) or "no socket exists at the usual places")
        + ". Start an engine (on Debian or Ubuntu `scripts/engine.sh` installs and starts one), or name yours by "
        "DOCKER_HOST or --docker-host. Tools are never run outside a sandbox."
    )


def _addresses(docker_host: str | None) -> Iterator[str]:
    if named := docker_host or os.environ.get("DOCKER_HOST"):
        yield named
        return
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    for path in (
        "/var/run/docker.sock",
        "/run/docker.sock",
        f"{runtime}/docker.sock",
        f"{runtime}/podman/podman.sock",
        "/run/podman/podman.sock",
    ):
        if Path(path).is_socket():
            yield f"unix://{path}"


def _connect(address: str) -> Engine:
    client = docker.DockerClient(base_url=address, version="auto", timeout=TIMEOUT_S, max_pool_size=32)
    try:
        info = client.info()
        version = str(info.get("ServerVersion", ""))
    except BaseException:
        client.close()
        raise
    return Engine(address, client, version, info)


def _short(fault: BaseException) -> str:
    """Return what lies at the bottom of `fault`: the layers above only say that it happened to them."""
    while (cause := fault.__cause__ or fault.__context__) is not None:
        fault = cause
    text = " ".join((getattr(fault, "strerror", None) or str(fault) or type(fault).__name__).split())
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
