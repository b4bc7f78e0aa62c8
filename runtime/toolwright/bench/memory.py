"""What an idle container keeps to itself, and whether the server grows."""

from __future__ import annotations

import statistics
import time
from typing import Any, Final

import psutil

from toolwright.bench.cgroup import Cgroup, private_bytes
from toolwright.bench.cpu import shims
from toolwright.bench.ground import Ground
from toolwright.bench.load import drive
from toolwright.bench.plan import Plan
from toolwright.bench.server_process import ServerProcess
from toolwright.bench.spread import rounded
from toolwright.bench.work import SCIENCE, SMALL, call
from toolwright.domain.call import Isolation
from toolwright.domain.limits import MIB

_REST_S: Final = 0.5
_SETTLED: Final = 1_000
"""Calls after which the server has all that it ever needs at once: threads, connections, caches."""
_CALLERS: Final = 4


def measure_memory(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure a container of each image, then the server before and after many calls.

    Raises:
        SkippedSection: the engine's processes cannot be seen.
        SandboxUnavailable: a call failed.
    """
    containers = {"python": _container(ground, ground.main())}
    science = ground.science()
    if science is not None:
        call(science.client, SCIENCE, isolation=Isolation.TENANT)
        containers["science"] = _container(ground, science)
    settle, calls = (100, 300) if plan.quick else (_SETTLED, 10_000)
    return {"container": containers, "server": _growth(ground.main(), settle, calls)}


def _container(ground: Ground, server: ServerProcess) -> dict[str, float]:
    found = [_idle(ground, server) for _ in range(3)]
    return {name: rounded(statistics.median(one[name] for one in found)) for name in found[0]}


def _idle(ground: Ground, server: ServerProcess) -> dict[str, float]:
    container = call(server.client, SMALL, isolation=Isolation.TENANT).provenance.container_id
    time.sleep(_REST_S)
    group = Cgroup.of(ground.init_pid(container))
    parts = {
        # Pages that several of its processes share count once here, and not at all as private ones.
        "anonymous_mib": group.anonymous_bytes(),
        "kernel_mib": group.kernel_bytes(),
        "shim_private_mib": sum(private_bytes(one.pid) for one in shims([container])),
    }
    parts["whole_mib"] = sum(parts.values())
    parts["processes_private_mib"] = sum(private_bytes(pid) for pid in group.pids())
    return {name: value / MIB for name, value in parts.items()}


def _growth(server: ServerProcess, settle: int, calls: int) -> dict[str, Any]:
    process = psutil.Process(server.pid)
    drive(lambda _: call(server.client, isolation=Isolation.TOOL), _CALLERS, calls=settle)
    before = process.memory_info().rss
    drive(lambda _: call(server.client, isolation=Isolation.TOOL), _CALLERS, calls=calls)
    after = process.memory_info().rss
    return {
        "settled_after_calls": settle,
        "calls": calls,
        "rss_before_mib": rounded(before / MIB),
        "rss_after_mib": rounded(after / MIB),
        "growth_percent": round(100 * (after - before) / before, 2),
    }
