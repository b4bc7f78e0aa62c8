"""From the time limit to the end of the last process, as the host sees it, and to the verdict, as the caller does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from toolwright.bench.cgroup import Cgroup
from toolwright.bench.ground import Ground, SkippedSection
from toolwright.bench.plan import Plan
from toolwright.bench.server_process import ServerProcess
from toolwright.bench.spread import Spread
from toolwright.bench.work import FORKS, SPIN, call
from toolwright.domain.call import Isolation
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import SandboxUnavailable

_LIMIT_S: Final = 0.3
_LOOK_S: Final = 0.0005
_GONE_S: Final = 5.0
_TRIES: Final = 3
"""For each sample: the pool may lend another container than the one that is watched."""


@dataclass(slots=True)
class _Sighting:
    """What was seen of a call's processes."""

    resident: set[int]
    first: float = 0.0
    """When the first was seen; 0 for never."""
    last: float = 0.0
    """When the last was seen."""
    most: int = 0


@dataclass(frozen=True, slots=True)
class _Kill:
    """One call that was killed, in milliseconds after its time limit."""

    gone_ms: float
    verdict_ms: float
    processes: int


def measure_kill(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure a tool that spins, and one whose nine processes do.

    Raises:
        SkippedSection: the engine's processes cannot be seen.
        SandboxUnavailable: a call did not end with TIMEOUT.
    """
    rounds = 3 if plan.quick else 20
    found = {}
    for name, source in {"spins": SPIN, "nine_processes": FORKS}.items():
        kills = [_sample(ground, ground.main(), source) for _ in range(rounds)]
        found[name] = {
            "tree_gone": Spread.of([one.gone_ms for one in kills]).document(),
            "verdict": Spread.of([one.verdict_ms for one in kills]).document(),
            "processes_seen": max(one.processes for one in kills),
        }
    return {"unit": "ms after the time limit", "limit_ms": 1000 * _LIMIT_S, "tools": found}


def _sample(ground: Ground, server: ServerProcess, source: ToolSource) -> _Kill:
    for _ in range(_TRIES):
        if (kill := _once(ground, server, source)) is not None:
            return kill
    raise SkippedSection("the pool did not lend the container that was watched")


def _once(ground: Ground, server: ServerProcess, source: ToolSource) -> _Kill | None:
    container = call(server.client, isolation=Isolation.TENANT).provenance.container_id
    group = Cgroup.of(ground.init_pid(container))
    time.sleep(0.1)  # until the zygote has forked the next call's process ahead, if it does
    with _watched(group) as seen:
        execution = server.client.execute(
            source, {}, isolation=Isolation.TENANT, limits=LimitsRequest(wall_time_s=_LIMIT_S), timeout_s=30
        )
        answered = time.perf_counter()
    if execution.outcome.status is not Status.TIMEOUT:
        raise SandboxUnavailable(f"a call that never ends ended with {execution.outcome.status.value}")
    if execution.provenance.container_id != container or not seen.first:
        return None
    limit = seen.first + _LIMIT_S
    return _Kill(1000 * max(0.0, seen.last - limit), 1000 * max(0.0, answered - limit), seen.most)


@contextmanager
def _watched(group: Cgroup) -> Iterator[_Sighting]:
    """Look at the container's processes all the time, and at the end until only the resident ones are left."""
    seen = _Sighting(group.pids())
    ending = threading.Event()

    def look() -> None:
        until = None
        while until is None or time.perf_counter() < until:
            others = group.pids() - seen.resident
            now = time.perf_counter()
            if others:
                seen.first, seen.last, seen.most = seen.first or now, now, max(seen.most, len(others))
            elif until is not None:
                return
            if until is None and ending.is_set():
                until = now + _GONE_S
            time.sleep(_LOOK_S)

    watcher = threading.Thread(target=look, name="bench-watch")
    watcher.start()
    try:
        yield seen
    finally:
        ending.set()
        watcher.join()
