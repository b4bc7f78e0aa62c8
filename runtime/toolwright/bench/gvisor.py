"""The same warm call under gVisor, in turns with the one under the engine's usual runtime."""

from __future__ import annotations

from typing import Any, Final

from toolwright.bench.blocks import Subject, interleaved
from toolwright.bench.ground import MAIN, Ground, SkippedSection
from toolwright.bench.load import drive
from toolwright.bench.plan import Plan
from toolwright.bench.spread import Spread, flat, ratio, rounded
from toolwright.bench.warm import Caller
from toolwright.bench.work import call
from toolwright.domain.call import Isolation

_RUNTIME: Final = "runsc"
_CALLERS: Final = 4


def measure_gvisor(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure; what `runsc` costs depends on its platform (ptrace, systrap, KVM), which the engine's settings choose.

    Raises:
        SkippedSection: the engine does not know it.
        SandboxUnavailable: the server does not serve with it, or a call failed.
    """
    if _RUNTIME not in ground.engine.runtimes:
        raise SkippedSection(f"the engine has no runtime {_RUNTIME!r}")
    blocks, rounds, seconds = (2, 10, 2.0) if plan.quick else (5, 30, 5.0)
    with ground.server({**MAIN, "sandbox.runtime": _RUNTIME}) as server:
        callers = {
            "host": Caller(ground.main().client, Isolation.TOOL),
            _RUNTIME: Caller(server.client, Isolation.TOOL),
        }
        for caller in callers.values():
            caller.warm_up(5)
        found = interleaved([Subject(name, one.run, rounds) for name, one in callers.items()], blocks)
        drive(lambda _: call(server.client, isolation=Isolation.TOOL), _CALLERS, seconds=seconds / 2)
        load = drive(lambda _: call(server.client, isolation=Isolation.TOOL), _CALLERS, seconds=seconds)
    return {
        "unit": "ms",
        "subjects": {name: Spread.of(flat(values)).document() for name, values in found.items()},
        "ratio": ratio(found[_RUNTIME], found["host"]).document(),
        "stages": callers[_RUNTIME].stages.document(),
        "calls_per_second": rounded(load.per_second),
        "callers": _CALLERS,
    }
