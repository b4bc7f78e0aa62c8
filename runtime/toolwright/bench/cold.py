"""First calls: with no container there, and with a container but source that was never seen."""

from __future__ import annotations

import time
from typing import Any, Final

from toolwright.bench.alone import sandboxes_alone
from toolwright.bench.blocks import timed
from toolwright.bench.ground import Ground
from toolwright.bench.plan import Plan
from toolwright.bench.server_process import ServerProcess
from toolwright.bench.spread import Spread
from toolwright.bench.work import call, never_seen
from toolwright.domain.call import Isolation
from toolwright.sandbox.pool import PoolSize

_REFILL_S: Final = 0.8
"""Until a container that was taken is replaced."""
_NOTHING_READY: Final = PoolSize(ready=0, most=1)


def measure_cold(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure both; an empty pool without a server, whose pool learns from each call to keep a container ready.

    Raises:
        SandboxUnavailable: a call failed.
    """
    rounds, server = max(3, plan.rounds // 3), ground.main()
    return {
        "unit": "ms",
        "empty_pool": Spread.of([_empty(ground) for _ in range(rounds)]).document(),
        "never_seen": Spread.of([_blank(server) for _ in range(rounds)]).document(),
        "never_seen_in_warm_container": Spread.of(
            [_once(server, Isolation.TENANT) for _ in range(10 * rounds)]
        ).document(),
    }


def _empty(ground: Ground) -> float:
    with sandboxes_alone(ground, ground.runtime, _NOTHING_READY) as sandboxes:
        return timed(sandboxes.call)(1)[0]


def _blank(server: ServerProcess) -> float:
    time.sleep(_REFILL_S)
    return _once(server, Isolation.TOOL)


def _once(server: ServerProcess, isolation: Isolation) -> float:
    source = never_seen()
    started = time.perf_counter()
    call(server.client, source, isolation=isolation)
    return 1000 * (time.perf_counter() - started)
