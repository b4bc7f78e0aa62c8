"""A warm call by isolation and image, in turns with the floors; and where its time goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from toolwright.bench.blocks import Blocks, Subject, interleaved, timed
from toolwright.bench.floors import DOCKER_EXEC, DOCKER_RUN, FLOORS, FORK_PIPE, floor_subjects
from toolwright.bench.ground import Ground
from toolwright.bench.plan import Plan
from toolwright.bench.server_process import ServerProcess
from toolwright.bench.spread import Spread, flat, percentile, ratio, rounded
from toolwright.bench.work import SCIENCE, SMALL, TABLE, call
from toolwright.client import Client
from toolwright.domain.call import Isolation
from toolwright.domain.outcome import Timing
from toolwright.domain.source import ToolSource

TENANT: Final = "tenant"
TOOL: Final = "tool"
CALL: Final = "call"
SCIENCE_TOOL: Final = "science"
TABLE_TOOL: Final = "science_table"
GRPC: Final = "grpc_empty"
"""A call of gRPC that does nothing (a health check), to the same server."""
_REFILL_S: Final = 0.8
"""Until a container that was used up is replaced: the pool is to be full again before each call."""
_WARM_UP: Final = 30
_NOT_READY_MS: Final = 20.0
"""A lease that took longer found no container ready."""


@dataclass(slots=True)
class Stages:
    """Where the time of calls went."""

    took_ms: list[float] = field(default_factory=list)
    """As the caller saw it."""
    timings: list[Timing] = field(default_factory=list)

    def document(self) -> dict[str, float]:
        """Return the medians; what no stage of the server counted is the client's and gRPC's."""
        names = ("queue_ms", "acquire_ms", "run_ms", "collect_ms")
        parts = {name: [getattr(one, name) for one in self.timings] for name in names}
        sums = [sum(stages) for stages in zip(*parts.values(), strict=True)]
        rest = [took - known for took, known in zip(self.took_ms, sums, strict=True)]
        found = {**parts, "grpc_and_client_ms": rest, "whole_ms": self.took_ms}
        return {name: rounded(statistics.median(values)) for name, values in found.items()}


@dataclass(frozen=True, slots=True)
class Caller:
    """Takes the time of calls at one level of isolation."""

    client: Client
    isolation: Isolation
    source: ToolSource = SMALL
    pause_s: float = 0.0
    """Before each call and after a block: a container being replaced must not disturb what comes next. Not counted."""
    stages: Stages = field(default_factory=Stages)

    def run(self, rounds: int) -> list[float]:
        """Return the milliseconds of so many calls."""
        times = [self._once() for _ in range(rounds)]
        time.sleep(self.pause_s)
        return times

    def warm_up(self, rounds: int = _WARM_UP) -> None:
        """Make calls that are not counted."""
        for _ in range(rounds):
            call(self.client, self.source, isolation=self.isolation)

    def _once(self) -> float:
        time.sleep(self.pause_s)
        started = time.perf_counter()
        execution = call(self.client, self.source, isolation=self.isolation)
        took = 1000 * (time.perf_counter() - started)
        self.stages.took_ms.append(took)
        self.stages.timings.append(execution.timing)
        return took


def measure_warm(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure; see the module. The science image is left out, with a word, where it was not built.

    Raises:
        SandboxUnavailable, EngineUnavailable: no call, or no floor, can be had.
    """
    callers = _callers(ground)
    with (
        floor_subjects(ground.engine.client, ground.image_id, ground.python, plan) as floors,
        grpc.insecure_channel(ground.main().client.target) as channel,
    ):
        subjects = [*floors, _empty(channel, plan), *_ours(callers, plan)]
        blocks = interleaved(subjects, plan.blocks)
    whole = flat(blocks[TOOL])
    return {
        "unit": "ms",
        "blocks": plan.blocks,
        "subjects": {name: Spread.of(flat(values)).document() for name, values in blocks.items()},
        "ratios": _ratios(blocks),
        "p99_ms": rounded(percentile(whole, 0.99)),
        "p99_to_p50": rounded(percentile(whole, 0.99) / statistics.median(whole)),
        "stages": {name: caller.stages.document() for name, caller in callers.items()},
        "pool_empty": sum(one.queue_ms + one.acquire_ms > _NOT_READY_MS for one in callers[CALL].stages.timings),
        "left_out": {} if SCIENCE_TOOL in callers else {SCIENCE_TOOL: NO_SCIENCE},
    }


NO_SCIENCE: Final = "the science image is not built: run `toolwright images build science`"


def _callers(ground: Ground) -> dict[str, Caller]:
    client = ground.main().client
    callers = {
        TENANT: Caller(client, Isolation.TENANT),
        TOOL: Caller(client, Isolation.TOOL),
        CALL: Caller(client, Isolation.CALL, pause_s=_REFILL_S),
    }
    science: ServerProcess | None = ground.science()
    if science is None:
        ground.tell(f"NOT MEASURED: {NO_SCIENCE}")
    else:
        callers[SCIENCE_TOOL] = Caller(science.client, Isolation.TOOL, SCIENCE)
        callers[TABLE_TOOL] = Caller(science.client, Isolation.TOOL, TABLE)
    for name, caller in callers.items():
        if name != CALL:
            caller.warm_up()
    return callers


def _ours(callers: dict[str, Caller], plan: Plan) -> list[Subject]:
    few = max(1, plan.engine_rounds)
    return [
        Subject(name, caller.run, few if caller.pause_s else plan.calls_a_block) for name, caller in callers.items()
    ]


def _empty(channel: grpc.Channel, plan: Plan) -> Subject:
    check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # made at run time
    request = health_pb2.HealthCheckRequest()
    check(request, timeout=10)
    return Subject(GRPC, timed(lambda: check(request, timeout=10)), plan.calls_a_block)


def _ratios(blocks: Blocks) -> dict[str, Any]:
    pairs: Sequence[tuple[str, str, str]] = [
        *((f"{TOOL}_to_{floor}", TOOL, floor) for floor in FLOORS),
        (f"{TENANT}_to_{FORK_PIPE}", TENANT, FORK_PIPE),
        (f"{CALL}_to_{DOCKER_RUN}", CALL, DOCKER_RUN),
        (f"{CALL}_to_{DOCKER_EXEC}", CALL, DOCKER_EXEC),
        (f"{SCIENCE_TOOL}_to_{TOOL}", SCIENCE_TOOL, TOOL),
        (f"{TABLE_TOOL}_to_{TOOL}", TABLE_TOOL, TOOL),
    ]
    return {name: ratio(blocks[one], blocks[other]).document() for name, one, other in pairs if one in blocks}
