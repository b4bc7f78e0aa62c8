"""`isolation=call`: how many calls at once find a container ready, and how many a second the engine can sustain."""

from __future__ import annotations

import time
from typing import Any, Final

from toolwright.bench.ground import FILLED, Ground
from toolwright.bench.load import drive
from toolwright.bench.plan import Plan
from toolwright.bench.server_process import ServerProcess
from toolwright.bench.spread import Spread, flat, rounded
from toolwright.bench.work import call
from toolwright.domain.call import Isolation

_READY: Final = int(FILLED["sandbox.pool.min_ready"])
_FILL_S: Final = 4.0


def measure_fresh(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure bursts of as many calls as containers are kept ready, then calls without a pause.

    Raises:
        SandboxUnavailable: a call failed.
    """
    bursts, seconds = (2, 4.0) if plan.quick else (5, 15.0)
    with ground.server(FILLED) as server:
        times = [_burst(server) for _ in range(bursts)]
        time.sleep(_FILL_S)
        load = drive(lambda _: _once(server), _READY, seconds=seconds)
    return {
        "unit": "ms",
        "kept_ready": _READY,
        "burst": Spread.of(flat(times)).document(),
        "sustained": Spread.of(load.answers).document(),
        "sustained_per_second": rounded(load.per_second),
        "sustained_callers": _READY,
    }


def _burst(server: ServerProcess) -> list[float]:
    time.sleep(_FILL_S)
    return drive(lambda _: _once(server), _READY, calls=_READY).answers


def _once(server: ServerProcess) -> float:
    started = time.perf_counter()
    call(server.client, isolation=Isolation.CALL)
    return 1000 * (time.perf_counter() - started)
