"""A run that never was, for tests of what is made of one: every section is there, and its numbers are round."""

from __future__ import annotations

from typing import Any, Final

from toolwright.bench.floors import FLOORS
from toolwright.bench.plan import Plan
from toolwright.bench.report import Findings, bench_document
from toolwright.bench.spread import P99_NEEDS

MACHINE: Final[dict[str, Any]] = {
    "cores": 2,
    "processor": "a processor",
    "memory_bytes": 2**34,
    "load_average": 0.1,
    "load_average_at_the_end": 0.2,
    "kernel": "6.12.85",
    "architecture": "x86_64",
    "python": "3.13.1",
    "grpc": "1.80.0",
    "engine": "29.6.0",
    "runtime": "runc",
    "runtime_version": "1.4.4",
    "containerd": "2.1.0",
    "cgroup_version": "2",
    "storage": "overlay2",
}
_FLOORS: Final = dict(zip(FLOORS, (1.0, 15.0, 80.0, 400.0, 410.0), strict=True))
_OURS: Final = {"grpc_empty": 0.5, "tenant": 2.0, "tool": 2.5, "call": 8.0, "science": 3.0}


def spread(p50: float, count: int = 100) -> dict[str, Any]:
    """Return a spread around `p50`, for JSON."""
    return {
        "p10": 0.9 * p50,
        "p50": p50,
        "p90": 1.2 * p50,
        "p99": 2.0 * p50 if count >= P99_NEEDS else None,
        "count": count,
    }


def sample_document(plan: Plan | None = None) -> dict[str, Any]:
    """Return the document of a run of `plan` in which each section was measured, and all aims but one reached."""
    plan = plan or Plan()
    sections = {name: found for name, found in _sections().items() if name in plan.sections}
    return bench_document(Findings(sections, plan.left_out), MACHINE, plan, 60.0)


def _sections() -> dict[str, Any]:
    floors = {name: spread(value, 30) for name, value in _FLOORS.items()}
    return {
        "floors": {"unit": "ms", "subjects": floors, "at_the_end": floors},
        "warm": _warm(floors),
        "cold": {
            "unit": "ms",
            "empty_pool": spread(300.0, 10),
            "never_seen": spread(5.0, 10),
            "never_seen_in_warm_container": spread(3.0),
        },
        "rate": _rate(),
        "fresh": {
            "unit": "ms",
            "kept_ready": 4,
            "burst": spread(10.0, 20),
            "sustained": spread(900.0, 40),
            "sustained_per_second": 4.0,
            "sustained_callers": 4,
        },
        "cpu": {
            "unit": "processor seconds of 1,000 calls",
            "by_callers": {"1": {"calls": 2000, "client": 0.5, "server": 1.0, "sum": 1.5, "calls_per_second": 300.0}},
        },
        "memory": {
            "container": {"python": {"anonymous_mib": 8.0, "whole_mib": 11.0}},
            "server": {
                "settled_after_calls": 1000,
                "calls": 10_000,
                "rss_before_mib": 100.0,
                "rss_after_mib": 101.0,
                "growth_percent": 1.0,
            },
        },
        "kill": _kill(),
        "queue": _queue(),
        "payloads": {"unit": "ms", "arguments": [_payload(1024)], "result": [_payload(1024), _payload(2**20)]},
        "gvisor": {
            "unit": "ms, in the sandbox alone",
            "subjects": {"runc": spread(2.0), "runsc": spread(30.0)},
            "ratio": spread(15.0, 5),
            "calls_per_second": {"runc": 400.0, "runsc": 30.0},
            "callers": 2,
        },
        "peers": {
            "unit": "ms",
            "image": "debian-python",
            "peers": {
                "llm-sandbox": {"state": "measured", "version": "1.0", "cold_ms": 900.0, "warm": spread(200.0, 20)},
                "epicbox": {"state": "not installed"},
                "autogen-ext": {"state": "failed", "why": "it said so"},
            },
        },
        "demo": {"seconds": 30.0},
    }


def _warm(floors: dict[str, Any]) -> dict[str, Any]:
    stages = {"queue_ms": 0.0, "acquire_ms": 0.1, "run_ms": 1.5, "collect_ms": 0.2, "whole_ms": 2.5}
    return {
        "unit": "ms",
        "blocks": 10,
        "subjects": {**floors, **{name: spread(value) for name, value in _OURS.items()}},
        "ratios": {
            **{f"tool_to_{name}": spread(_OURS["tool"] / value, 10) for name, value in _FLOORS.items()},
            "call_to_docker_run": spread(0.02, 10),
            "science_to_tool": spread(1.2, 10),
        },
        "p99_ms": 5.0,
        "p99_to_p50": 2.0,
        "stages": {"tool": stages, "call": stages},
        "pool_empty": 1,
        "left_out": {},
    }


def _rate() -> dict[str, Any]:
    def point(callers: int, rate: float) -> dict[str, Any]:
        return {
            "callers": callers,
            "calls_per_second": rate,
            "least": 0.9 * rate,
            "most": 1.1 * rate,
            "latency_ms": spread(1000 * callers / rate),
        }

    return {
        "sweeps": 3,
        "seconds": 3.0,
        "forks_per_second_all_cores": spread(900.0, 3),
        "forks_to_calls": 2.2,
        "senders": {"unary": [point(1, 200.0), point(4, 400.0), point(8, 420.0)]},
    }


def _kill() -> dict[str, Any]:
    one = {"tree_gone": spread(5.0, 20), "verdict": spread(8.0, 20), "processes_seen": 9}
    return {"unit": "ms after the time limit", "limit_ms": 300.0, "tools": {"spins": one, "nine_processes": one}}


def _queue() -> dict[str, Any]:
    crowd = {"served": 800, "refused": 9000, "refused_with_retry_time": 9000, "wait_ms": spread(50.0, 800)}
    quiet = {"served": 0, "refused": 3, "refused_with_retry_time": 3, "wait_ms": None}
    return {
        "places": 6,
        "callers": 60,
        "seconds": 10.0,
        "served_per_second": 80.0,
        **crowd,
        "fairness": 0.95,
        "served_least": 8,
        "served_most": 20,
        "quiet_caller": quiet,
    }


def _payload(size: int) -> dict[str, Any]:
    return {"bytes": size, "mib_per_second": 10.0, "latency_ms": spread(4.0, 30)}
