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
    case.limits = _proven(case, wall_s, memory)
    evidence |= {
        "wall_time_s": case.limits.wall_time_s or ceilings.wall_time_s,
        "memory_bytes": case.limits.memory_bytes or ceilings.memory_bytes,
    }
    return Ruling(evidence)


def _proven(case: Case, wall_s: float, memory: int) -> LimitsRequest:
    """Return limits above the peaks, doubled until the costliest calls do not notice them."""
    policy, ceilings = case.policy, case.ceilings
    wall = _rounded(wall_s * policy.limit_factor, policy.wall_floor_s, ceilings.wall_time_s)
    room = int(_rounded(memory * policy.limit_factor, policy.memory_floor_bytes, ceilings.memory_bytes))
    while room < ceilings.memory_bytes and not _holds(case, LimitsRequest(wall, room)):
        room = min(2 * room, ceilings.memory_bytes)
    return LimitsRequest(wall, room)


def _rounded(value: float, floor: float, ceiling: float) -> float:
    """Return `floor` times the power of two that covers `value`, at most `ceiling`: the same each time it is made."""
    step = floor
    while step < value:
        step *= 2
    return min(step, ceiling)


def _holds(case: Case, limits: LimitsRequest) -> bool:
    seen = case.observed
    costly = {
        max(seen, key=lambda one: one.usage.wall_ms).arguments_json: None,
        max(seen, key=lambda one: one.usage.peak_memory_bytes).arguments_json: None,
    }
    first = {one.arguments_json: one.key for one in seen}
    return all(case.call(arguments, limits=limits).key == first[arguments] for arguments in costly)


GATE: Final = gate(GateName.RESOURCES, _judge)
