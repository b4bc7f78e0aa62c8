"""First calls: with no container there, and with a container but source that was never seen."""

from __future__ import annotations

import time
from typing import Any, Final

from toolwright.bench.ground import EMPTY, Ground
from toolwright.bench.plan import Plan
from toolwright.bench.server_process import ServerProcess
from toolwright.bench.spread import Spread
from toolwright.bench.work import call, never_seen
from toolwright.domain.call import Isolation

_EMPTY_S: Final = 10.0
_BLANK_S: Final = 0.8


def measure_cold(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure both.

    Raises:
        SandboxUnavailable: a call failed.
    """
    rounds = max(3, plan.rounds // 3)
    with ground.server(EMPTY) as server:
        empty = [_once(server, Isolation.CALL) for _ in range(rounds) if _wait_until_empty(ground, server)]
    return {
        "unit": "ms",
        "empty_pool": Spread.of(empty).document() if empty else None,
        "found_containers": rounds - len(empty),
        "never_seen": Spread.of([_blank(ground.main()) for _ in range(rounds)]).document(),
        "never_seen_in_warm_container": Spread.of(
            [_once(ground.main(), Isolation.TENANT) for _ in range(10 * rounds)]
        ).document(),
    }


def _blank(server: ServerProcess) -> float:
    time.sleep(_BLANK_S)  # until the one that was taken is replaced
    return _once(server, Isolation.TOOL)


def _once(server: ServerProcess, isolation: Isolation) -> float:
    source = never_seen()
    started = time.perf_counter()
    call(server.client, source, isolation=isolation)
    return 1000 * (time.perf_counter() - started)


def _wait_until_empty(ground: Ground, server: ServerProcess) -> bool:
    until = time.monotonic() + _EMPTY_S
    while ground.containers(server):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
