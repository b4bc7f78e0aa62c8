"""What the tool used at most becomes its own limits; one that comes near a ceiling is refused."""

from __future__ import annotations

from typing import Final

from toolwright.domain.gates import GateName
from toolwright.domain.limits import LimitsRequest
from toolwright.making import feedback
from toolwright.making.case import Case
from toolwright.making.gates.base import Ruling, gate

_MS: Final = 1000


def _judge(case: Case) -> Ruling:
    """Take the peaks of all calls, and find limits under which the costliest ones end as they did."""
    usages, ceilings, policy = case.executor.usages, case.ceilings, case.policy
    wall_s = max((usage.wall_ms for usage in usages), default=0.0) / _MS
    cpu_s = max((usage.cpu_ms for usage in usages), default=0.0) / _MS
    memory = max((usage.peak_memory_bytes for usage in usages), default=0)
    evidence: dict[str, str | int | float] = {
        "calls": len(usages),
        "peak_wall_s": round(wall_s, 4),
        "peak_cpu_s": round(cpu_s, 4),
        "peak_memory_bytes": memory,
    }
    over = [
        name
        for name, peak, ceiling in (
            ("time", wall_s, ceilings.wall_time_s),
            ("memory", memory, ceilings.memory_bytes),
        )
        if peak * policy.headroom > ceiling
    ]
    if over:
        return Ruling(evidence, feedback.on_resources(over))
    case.limits, differed = _proven(case, wall_s, memory)
    evidence |= {
        "wall_time_s": case.limits.wall_time_s or ceilings.wall_time_s,
        "memory_bytes": case.limits.memory_bytes or ceilings.memory_bytes,
        "differed_under_them": differed,
    }
    return Ruling(evidence, feedback.on_own_limits(differed) if differed else "")


def _proven(case: Case, wall_s: float, memory: int) -> tuple[LimitsRequest, int]:
    """Return limits above the peaks, doubled until no call notices them, and how many calls do notice them.

    All calls are made under them, not the costliest alone: a tool can read its limits, and could tell by them whether
    it is verified or used.
    """
    policy, ceilings = case.policy, case.ceilings
    wall = _rounded(wall_s * policy.limit_factor, policy.wall_floor_s, ceilings.wall_time_s)
    room = int(_rounded(memory * policy.limit_factor, policy.memory_floor_bytes, ceilings.memory_bytes))
    while True:
        limits = LimitsRequest(wall, room)
        differed = _differing(case, limits)
        if not differed or room >= ceilings.memory_bytes:
            return limits, differed
        room = min(2 * room, ceilings.memory_bytes)


def _rounded(value: float, floor: float, ceiling: float) -> float:
    """Return `floor` times the power of two that covers `value`, at most `ceiling`: the same each time it is made."""
    step = floor
    while step < value:
        step *= 2
    return min(step, ceiling)


def _differing(case: Case, limits: LimitsRequest) -> int:
    """Count the calls of examples and probes, and the costliest of all, that end otherwise under `limits`."""
    seen = case.observed
    costly = (max(seen, key=lambda one: one.usage.wall_ms), max(seen, key=lambda one: one.usage.peak_memory_bytes))
    calls = {one.arguments_json: one.key for one in (*costly, *case.probed)}
    return sum(case.call(arguments, limits=limits).key != key for arguments, key in calls.items())


GATE: Final = gate(GateName.RESOURCES, _judge)
