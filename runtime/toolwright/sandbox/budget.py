"""How many containers the memory of the engine's machine allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psutil

from toolwright.domain.limits import MIB
from toolwright.errors import InvalidInput
from toolwright.sandbox.engine import Engine

_LOCAL: Final = ("unix:", "npipe:", "http+unix:")


@dataclass(frozen=True, slots=True)
class MemoryRules:
    """What of the machine's memory containers may take."""

    share: float = 0.8
    """Part of all memory that the limits of all containers together may make up; above 0, at most 1."""
    reserve_bytes: int = 256 * MIB
    """While less is available, no container is started."""


def _unknown() -> int | None:
    """Return nothing: what another machine has available is not known here."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Memory for the containers of one pool."""

    container_bytes: int
    """Memory limit of each container."""
    total_bytes: int
    """All memory of the machine that the engine runs on; 0 if it does not tell."""
    rules: MemoryRules = MemoryRules()
    available_bytes: Callable[[], int | None] = _unknown
    """What of it could be had now; None if that cannot be known."""

    @classmethod
    def of(cls, engine: Engine, container_bytes: int, rules: MemoryRules) -> Budget:
        """Return the budget for containers of `container_bytes` each on `engine`.

        Raises:
            InvalidInput: not even one fits.
        """
        told = engine.info.get("MemTotal")
        told = told if isinstance(told, int) else 0
        if engine.address.startswith(_LOCAL):
            # An engine in a virtual machine of its own has less than the host.
            here = psutil.virtual_memory().total
            budget = cls(container_bytes, min(told or here, here), rules, lambda: psutil.virtual_memory().available)
        else:
            budget = cls(container_bytes, told, rules)
        budget.check()
        return budget

    @property
    def places(self) -> int | None:
        """Containers that fit into the share; None if there is no telling."""
        return int(self.total_bytes * self.rules.share) // self.container_bytes if self.total_bytes else None

    def check(self) -> None:
        """Check that there is room for a container.

        Raises:
            InvalidInput: not even one fits.
        """
        if self.places == 0:
            room = int(self.total_bytes * self.rules.share)
            raise InvalidInput(
                "sandbox.limits.memory_bytes",
                f"is {self.container_bytes}: not one container fits into the part of the engine's memory "
                f"that sandbox.pool.memory_share ({self.rules.share:g}) leaves to containers",
                f"at most {room} here",
            )

    @property
    def shortage(self) -> str:
        """Why no container may be started just now; empty if one may."""
        available = self.available_bytes()
        if available is None or available >= self.rules.reserve_bytes:
            return ""
        return (
            f"The machine has {available // MIB} MiB of memory available, less than sandbox.pool.memory_reserve_bytes "
            f"({self.rules.reserve_bytes // MIB} MiB); no container is started until it has more."
        )
