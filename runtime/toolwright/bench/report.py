"""The document of one run: its headline under names that stay, and all that its sections found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from toolwright.bench.figures import FIGURES
from toolwright.bench.floors import DOCKER_EXEC, DOCKER_RUN, FLOORS, FORK_PIPE
from toolwright.bench.plan import Plan
from toolwright.bench.spread import rounded
from toolwright.bench.warm import TOOL

_Found = Mapping[str, Any]
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of the sections of a run."""

    sections: dict[str, Any] = field(default_factory=dict)
    """Of those that were measured."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Section → why it was not measured."""
    failed: dict[str, str] = field(default_factory=dict)
    """Section → the fault that ended it."""


def bench_document(found: Findings, machine: Mapping[str, Any], plan: Plan, took_s: float) -> dict[str, Any]:
    """Return what `bench --json` shows. What was not measured is None, or under `skipped` with the reason.

    Args:
        found: by the sections.
        machine: where it was measured.
        plan: what was to be measured.
        took_s: seconds of the whole run.
    """
    sections = _with_callers(found.sections)
    floor, ours = _floor(sections), _ours(sections, plan)
    cold = (sections.get("cold") or {}).get("empty_pool")
    return {
        "format": VERSION,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": plan.quick,
        "took_s": rounded(took_s),
        "machine": dict(machine),
        "figures": [figure.judged(sections) for figure in FIGURES],
        "floor": floor,
        "execute_tool": ours,
        "cold": cold and {"p50_ms": cold["p50"], "calls": cold["count"]},
        "ratios": _ratios(sections, floor),
        "sections": dict(sections),
        "skipped": dict(found.skipped),
        "failed": dict(found.failed),
    }


def _with_callers(found: _Found) -> dict[str, Any]:
    """Add what the unary calls reached by number of callers, for whoever looks for one of them."""
    rate = found.get("rate")
    if rate is None:
        return dict(found)
    by_callers = {str(point["callers"]): point["calls_per_second"] for point in rate["senders"]["unary"]}
    return {**found, "rate": {**rate, "by_callers": by_callers}}


def _floor(sections: _Found) -> dict[str, float] | None:
    """Return the medians; those that were measured in turns with ours, if they were."""
    for name in ("warm", "floors"):
        if name in sections:
            subjects = sections[name]["subjects"]
            return {f"{floor}_ms": subjects[floor]["p50"] for floor in FLOORS}
    return None


def _ours(sections: _Found, plan: Plan) -> dict[str, Any] | None:
    if "warm" not in sections:
        return None
    warm = sections["warm"]["subjects"][TOOL]
    rate = (sections.get("rate") or {}).get("by_callers", {})
    return {
        "p50_ms": warm["p50"],
        "p90_ms": warm["p90"],
        "p99_ms": sections["warm"]["p99_ms"],
        "calls_per_second": rate.get(str(plan.concurrency)),
        "concurrency": plan.concurrency,
        "calls": warm["count"],
    }


def _ratios(sections: _Found, floor: Mapping[str, float] | None) -> dict[str, float | None]:
    warm = sections.get("warm") or {}
    cold = (sections.get("cold") or {}).get("empty_pool")
    found = {name: warm.get("ratios", {}).get(f"{TOOL}_to_{name}") for name in (FORK_PIPE, DOCKER_EXEC, DOCKER_RUN)}
    return {
        **{f"p50_to_{name}": one and one["p50"] for name, one in found.items()},
        "p99_to_p50": warm.get("p99_to_p50"),
        "cold_to_docker_run": rounded(cold["p50"] / floor["docker_run_ms"]) if cold and floor else None,
    }
