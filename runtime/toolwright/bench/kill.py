"""From the time limit to the end of the last process, as the host sees it, and to the verdict, as the caller does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from toolwright.bench.cgroup import Cgroup
from toolwright.bench.ground import Ground, SkippedSection
from toolwright.bench.plan import Plan
from toolwright.bench.server_process import ServerProcess
from toolwright.bench.sighting import Residents, watched
from toolwright.bench.spread import Spread
from toolwright.bench.work import FORKS, SPIN, call
from toolwright.domain.call import Isolation
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import SandboxUnavailable

_LIMIT_S: Final = 0.3
_REST_S: Final = 0.1
"""Until the process of the next call was forked ahead, and waits."""
_TRIES: Final = 3
"""For each sample: the pool may lend another container than the one that is watched."""


@dataclass(frozen=True, slots=True)
class _Kill:
    """One call that was killed, in milliseconds after the time limit that its verdict names."""

    gone_ms: float
    verdict_ms: float
    processes: int


def measure_kill(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure a tool that spins, and one whose nine processes do.

    Raises:
        SkippedSection: the engine's processes cannot be seen.
        SandboxUnavailable: a call did not end with TIMEOUT, or something of it never ended.
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
    time.sleep(_REST_S)
    relay = ground.init_pid(container)
    group = Cgroup.of(relay)
    residents = Residents.of(relay, group)
    if residents is None:
        return None
    with watched(group, residents) as seen:
        execution = server.client.execute(
            source, {}, isolation=Isolation.TENANT, limits=LimitsRequest(wall_time_s=_LIMIT_S), timeout_s=30
        )
        answered = time.perf_counter()
    if execution.outcome.status is not Status.TIMEOUT:
        raise SandboxUnavailable(f"a call that never ends ended with {execution.outcome.status.value}")
    if execution.provenance.container_id != container or not seen.began:
        return None
    if not seen.gone:
        raise SandboxUnavailable("processes of a call that was killed are still there seconds later")
    limit = seen.began + execution.limits.wall_time_s
    return _Kill(1000 * (seen.gone - limit), 1000 * (answered - limit), seen.most)
