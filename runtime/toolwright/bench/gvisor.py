"""The same warm call under gVisor and under the engine's usual runtime, in turns.

Without a server: one that finds a limit not in force, as with a `runsc` that leaves cgroups alone, would not serve.
"""

from __future__ import annotations

from typing import Any, Final

from toolwright.bench.alone import sandboxes_alone
from toolwright.bench.blocks import Subject, interleaved, timed
from toolwright.bench.ground import Ground, SkippedSection
from toolwright.bench.plan import Plan
from toolwright.bench.spread import Spread, flat, ratio, rounded
from toolwright.sandbox.pool import PoolSize

_RUNTIME: Final = "runsc"
_CALLERS: Final = 2
_SIZE: Final = PoolSize(ready=1, most=_CALLERS + 1)
_WARM_UP: Final = 5


def measure_gvisor(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure; what `runsc` costs depends on its platform (ptrace, systrap, KVM), which the engine's settings choose.

    Raises:
        SkippedSection: the engine does not know it.
        SandboxUnavailable: no container starts, or a call failed.
    """
    if _RUNTIME not in ground.engine.runtimes:
        raise SkippedSection(f"the engine has no runtime {_RUNTIME!r}")
    blocks, rounds, seconds = (2, 10, 2.0) if plan.quick else (5, 30, 5.0)
    with sandboxes_alone(ground, "runc", _SIZE) as usual, sandboxes_alone(ground, _RUNTIME, _SIZE) as gvisor:
        runtimes = {"runc": usual, _RUNTIME: gvisor}
        for one in runtimes.values():
            timed(one.call)(_WARM_UP)
        found = interleaved([Subject(name, timed(one.call), rounds) for name, one in runtimes.items()], blocks)
        rates = {name: rounded(one.per_second(_CALLERS, seconds)) for name, one in runtimes.items()}
    return {
        "unit": "ms, in the sandbox alone",
        "subjects": {name: Spread.of(flat(values)).document() for name, values in found.items()},
        "ratio": ratio(found[_RUNTIME], found["runc"]).document(),
        "calls_per_second": rates,
        "callers": _CALLERS,
    }
