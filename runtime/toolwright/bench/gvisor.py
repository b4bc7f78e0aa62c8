"""The same warm call under gVisor and under the engine's usual runtime, in turns.

Both are run in sandboxes of this process, without a server: one that finds a limit not in force, as with a `runsc` that
leaves cgroups alone, would not serve at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from toolwright.bench.blocks import Subject, interleaved, timed
from toolwright.bench.ground import Ground, SkippedSection
from toolwright.bench.load import drive
from toolwright.bench.plan import Plan
from toolwright.bench.spread import Spread, flat, ratio, rounded
from toolwright.bench.work import ARGUMENTS, SMALL
from toolwright.domain.call import Isolation, ToolCall
from toolwright.domain.outcome import Status
from toolwright.errors import SandboxUnavailable
from toolwright.images.recipe import images_root
from toolwright.sandbox.base import Cancellation, SandboxKey
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.policy import SandboxPolicy, load_seccomp_profile
from toolwright.sandbox.pool import PoolSize, WarmPool

_RUNTIME: Final = "runsc"
_CALLERS: Final = 2
_WAIT_S: Final = 60.0
_KEY: Final = SandboxKey("bench", SMALL.digest, Isolation.TOOL)
_WARM_UP: Final = 5


@dataclass(frozen=True, slots=True)
class _Runtime:
    """Sandboxes under one runtime."""

    pool: WarmPool

    def call(self) -> None:
        """Make one call that has to succeed."""
        cancellation = Cancellation()
        with self.pool.lease(_KEY, timeout_s=_WAIT_S, cancellation=cancellation) as lease:
            outcome = lease.sandbox.run(ToolCall(SMALL, json.dumps(ARGUMENTS)), cancellation)
        if outcome.status is not Status.SUCCESS:
            raise SandboxUnavailable(f"a call of the bench ended with {outcome.status.value}")

    def per_second(self, seconds: float) -> float:
        """Return what two callers reach together."""
        drive(lambda _: self.call(), _CALLERS, seconds=seconds / 2)  # containers start here, not below
        return drive(lambda _: self.call(), _CALLERS, seconds=seconds).per_second


def measure_gvisor(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure; what `runsc` costs depends on its platform (ptrace, systrap, KVM), which the engine's settings choose.

    Raises:
        SkippedSection: the engine does not know it.
        SandboxUnavailable: no container starts, or a call failed.
    """
    if _RUNTIME not in ground.engine.runtimes:
        raise SkippedSection(f"the engine has no runtime {_RUNTIME!r}")
    blocks, rounds, seconds = (2, 10, 2.0) if plan.quick else (5, 30, 5.0)
    with _runtime(ground, "runc") as usual, _runtime(ground, _RUNTIME) as gvisor:
        runtimes = {"runc": usual, _RUNTIME: gvisor}
        for one in runtimes.values():
            timed(one.call)(_WARM_UP)
        found = interleaved([Subject(name, timed(one.call), rounds) for name, one in runtimes.items()], blocks)
        rates = {name: rounded(one.per_second(seconds)) for name, one in runtimes.items()}
    return {
        "unit": "ms, in the sandbox alone",
        "subjects": {name: Spread.of(flat(values)).document() for name, values in found.items()},
        "ratio": ratio(found[_RUNTIME], found["runc"]).document(),
        "calls_per_second": rates,
        "callers": _CALLERS,
    }


@contextmanager
def _runtime(ground: Ground, name: str) -> Iterator[_Runtime]:
    policy = SandboxPolicy(ground.image_id, load_seccomp_profile(images_root()), runtime=name)
    with closing(open_pool(ground.engine, policy, PoolSize(ready=1, most=_CALLERS + 1), proven=True)) as pool:
        yield _Runtime(pool)
