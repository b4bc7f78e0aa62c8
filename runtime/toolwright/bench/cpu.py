"""Processor time of 1,000 calls, by process: client, server, engine, shims, sandboxes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import psutil
from docker.errors import NotFound

from toolwright.bench.cgroup import Cgroup
from toolwright.bench.ground import Ground, SkippedSection
from toolwright.bench.load import drive
from toolwright.bench.plan import Plan
from toolwright.bench.server_process import ServerProcess
from toolwright.bench.spread import rounded
from toolwright.bench.work import call
from toolwright.domain.call import Isolation

_PIECE: Final = 100
"""Calls."""
_PATIENCE_S: Final = 25.0
_ENGINE: Final = ("dockerd", "containerd")


@dataclass(frozen=True, slots=True)
class _Meter:
    """Reads processor seconds; those of a container that is made meanwhile are not seen."""

    server: ServerProcess
    containers: tuple[str, ...]
    groups: tuple[Cgroup, ...]

    def before(self) -> dict[str, float]:
        """Read, the client last: reading is work of this process, and none of the calls'."""
        others = self._others()
        return {"client": _seconds([psutil.Process()]), **others}

    def after(self) -> dict[str, float]:
        """Read, the client first."""
        return {"client": _seconds([psutil.Process()]), **self._others()}

    def _others(self) -> dict[str, float]:
        found = {"server": _seconds([psutil.Process(self.server.pid)])}
        for name in _ENGINE:
            found[name] = _seconds(one for one in psutil.process_iter(["name"]) if one.info["name"] == name)
        found["shims"] = _seconds(shims(self.containers))
        found["sandboxes"] = sum(group.cpu_s() for group in self.groups)
        return found


def measure_cpu(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure with one caller, and with eight, who share a tenant's containers: none is made meanwhile.

    Raises:
        SkippedSection: the engine's processes cannot be seen.
        SandboxUnavailable: a call failed.
    """
    server, calls = ground.main(), 200 if plan.quick else 2_000
    found = {}
    for callers in (1, 8):
        drive(lambda _: call(server.client, isolation=Isolation.TENANT), callers, calls=20 * callers)
        found[str(callers)] = _one(ground, server, callers, calls)
    return {"unit": "processor seconds of 1,000 calls", "by_callers": found}


def shims(containers: Iterable[str]) -> Iterable[psutil.Process]:
    """Give the engine's own process of each container."""
    wanted = set(containers)
    for process in psutil.process_iter(["name", "cmdline"]):
        if (process.info["name"] or "").startswith("containerd-shim") and wanted & set(process.info["cmdline"] or ()):
            yield process


def _one(ground: Ground, server: ServerProcess, callers: int, calls: int) -> dict[str, float]:
    """Measure in pieces: one in which a container was replaced, as each is in its turn, is measured again."""
    spent: dict[str, float] = {}
    counted, rates, until = 0, [], time.monotonic() + _PATIENCE_S
    while counted < calls and time.monotonic() < until:
        piece = _piece(ground, server, callers)
        if piece is None:
            continue
        counted += _PIECE
        rates.append(piece.pop("calls_per_second"))
        spent = {name: spent.get(name, 0.0) + seconds for name, seconds in piece.items()}
    if not counted:
        raise SkippedSection("containers cannot be seen from here, or were replaced all the time")
    by_process = {name: rounded(1000 * seconds / counted) for name, seconds in spent.items()}
    rate = rounded(statistics.median(rates))
    return {"calls": counted, **by_process, "sum": rounded(sum(by_process.values())), "calls_per_second": rate}


def _piece(ground: Ground, server: ServerProcess, callers: int) -> dict[str, float] | None:
    containers = tuple(sorted(ground.containers(server)))
    try:
        groups = tuple(Cgroup.of(ground.init_pid(one)) for one in containers)
        meter = _Meter(server, containers, groups)
        before = meter.before()
        load = drive(lambda _: call(server.client, isolation=Isolation.TENANT), callers, calls=_PIECE)
        after = meter.after()
    except (OSError, NotFound, SkippedSection):  # one that only starts has no process yet
        return None
    if tuple(sorted(ground.containers(server))) != containers:
        return None
    return {**{name: after[name] - before[name] for name in before}, "calls_per_second": load.per_second}


def _seconds(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            total += used.user + used.system
    return total
