"""Processor time of 1,000 calls, by process: client, server, engine, shims, sandboxes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import psutil

from toolwright.bench.cgroup import Cgroup
from toolwright.bench.ground import Ground, SkippedSection
from toolwright.bench.load import drive
from toolwright.bench.plan import Plan
from toolwright.bench.server_process import ServerProcess
from toolwright.bench.spread import rounded
from toolwright.bench.work import call
from toolwright.domain.call import Isolation

_ENGINE: Final = ("dockerd", "containerd")


@dataclass(frozen=True, slots=True)
class _Meter:
    """Reads processor seconds; those of a container that is made meanwhile are not seen."""

    server: ServerProcess
    containers: tuple[str, ...]
    groups: tuple[Cgroup, ...]

    def read(self) -> dict[str, float]:
        found = {"client": _seconds([psutil.Process()]), "server": _seconds([psutil.Process(self.server.pid)])}
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
    return {"unit": "processor seconds of 1,000 calls", "calls": calls, "by_callers": found}


def shims(containers: Iterable[str]) -> Iterable[psutil.Process]:
    """Give the engine's own process of each container."""
    wanted = set(containers)
    for process in psutil.process_iter(["name", "cmdline"]):
        if (process.info["name"] or "").startswith("containerd-shim") and wanted & set(process.info["cmdline"] or ()):
            yield process


def _one(ground: Ground, server: ServerProcess, callers: int, calls: int) -> dict[str, float]:
    containers = tuple(ground.containers(server))
    groups = tuple(Cgroup.of(ground.init_pid(one)) for one in containers)
    meter = _Meter(server, containers, groups)
    try:
        before = meter.read()
        load = drive(lambda _: call(server.client, isolation=Isolation.TENANT), callers, calls=calls)
        after = meter.read()
    except OSError as gone:
        raise SkippedSection(f"a container went away while it was measured: {gone}") from None
    spent: Callable[[str], float] = lambda name: rounded(1000 * (after[name] - before[name]) / calls)  # noqa: E731
    by_process = {name: spent(name) for name in before}
    return {**by_process, "sum": rounded(sum(by_process.values())), "calls_per_second": rounded(load.per_second)}


def _seconds(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            total += used.user + used.system
    return total
