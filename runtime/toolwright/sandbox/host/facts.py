"""What an engine says of itself and of its machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolwright.errors import EngineUnavailable
from toolwright.sandbox.engine import ENGINE_FAULTS, Engine

_PODMAN_RUNTIME = re.compile(r"OCI Runtime \((\w+)\)\Z")
_NAMES = {"Engine": "dockerd", "Podman Engine": "podman"}


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself, and what we run under it."""

    address: str
    version: Mapping[str, Any]
    """Its answer to `docker version`."""
    info: Mapping[str, Any]
    """Its answer to `docker info`."""
    runtime: str = "runc"
    """OCI runtime that tools run under."""

    @property
    def components(self) -> Mapping[str, str]:
        """The versions that it gives, its kernel's too, by component: `dockerd`, `runc`, `kernel`, …."""
        told = self.version.get("Components") or ()
        versions = {_component(str(item.get("Name"))): str(item.get("Version")) for item in told}
        return {**versions, "kernel": str(self.info.get("KernelVersion", "?"))}


def engine_facts(engine: Engine, runtime: str) -> EngineFacts:
    """Ask `engine` about itself; `runtime` is what tools run under.

    Raises:
        EngineUnavailable: it does not answer.
    """
    try:
        version = engine.client.version()
    except ENGINE_FAULTS as fault:
        raise EngineUnavailable(f"The engine at {engine.address} does not tell its version: {fault}") from fault
    return EngineFacts(engine.address, version, engine.info, runtime)


def _component(name: str) -> str:
    runtime = _PODMAN_RUNTIME.match(name)
    return runtime[1] if runtime else _NAMES.get(name, name)
