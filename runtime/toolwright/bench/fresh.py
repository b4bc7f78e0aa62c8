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
_LEAD_S: Final = 3.0
"""Of load that is not counted: it uses up the containers that were ready, and what comes after is the engine's rate."""


def measure_fresh(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure bursts of as many calls as containers are kept ready, then calls without a pause.

    Raises:
        SandboxUnavailable: a call failed.
    """
    bursts, seconds = (2, 4.0) if plan.quick else (5, 15.0)
    with ground.server(FILLED) as server:
        times = [_burst(server) for _ in range(bursts)]
        time.sleep(_FILL_S)
        sustained, per_second = _sustained(server, seconds)
    return {
        "unit": "ms",
        "kept_ready": _READY,
        "burst": Spread.of(flat(times)).document(),
        "sustained": Spread.of(sustained).document(),
        "sustained_per_second": rounded(per_second),
        "sustained_callers": _READY,
    }


def _sustained(server: ServerProcess, seconds: float) -> tuple[list[float], float]:
    """Return the milliseconds of the calls that were answered after the lead-in, and how many a second those were."""
    counted_from = time.perf_counter() + _LEAD_S
    load = drive(lambda _: (_once(server), time.perf_counter()), _READY, seconds=_LEAD_S + seconds)
    ended = time.perf_counter()
    times = [took for took, answered in load.answers if answered >= counted_from]
    return times, len(times) / (ended - counted_from)


def _burst(server: ServerProcess) -> list[float]:
    time.sleep(_FILL_S)
    return drive(lambda _: _once(server), _READY, calls=_READY).answers


def _once(server: ServerProcess) -> float:
    started = time.perf_counter()
    call(server.client, isolation=Isolation.CALL)
    return 1000 * (time.perf_counter() - started)
