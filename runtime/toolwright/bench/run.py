"""One run: all sections of a plan, one after the other, and one document of what they found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from toolwright.bench.blocks import interleaved
from toolwright.bench.cold import measure_cold
from toolwright.bench.cpu import measure_cpu
from toolwright.bench.demonstration import measure_demo
from toolwright.bench.floors import floor_subjects
from toolwright.bench.fresh import measure_fresh
from toolwright.bench.ground import Ground, SkippedSection
from toolwright.bench.gvisor import measure_gvisor
from toolwright.bench.kill import measure_kill
from toolwright.bench.machine import machine_facts
from toolwright.bench.memory import measure_memory
from toolwright.bench.payloads import measure_payloads
from toolwright.bench.peers import measure_peers
from toolwright.bench.plan import SECTIONS, Plan
from toolwright.bench.queueing import measure_queue
from toolwright.bench.rate import measure_rate
from toolwright.bench.report import Findings, bench_document
from toolwright.bench.spread import Spread, flat
from toolwright.bench.warm import measure_warm
from toolwright.errors import ToolwrightError

Section = Callable[[Ground, Plan], dict[str, Any]]
"""(what it stands on, plan) → what it found, for JSON."""


def measure_floors(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure the floors alone.

    Raises:
        EngineUnavailable, SandboxUnavailable: no container can be started.
    """
    with floor_subjects(ground.engine.client, ground.image_id, ground.python, plan) as floors:
        blocks = interleaved(floors, 3)
    return {"unit": "ms", "subjects": {name: Spread.of(flat(values)).document() for name, values in blocks.items()}}


_MEASURES: Final[Mapping[str, Section]] = {
    "floors": measure_floors,
    "warm": measure_warm,
    "cold": measure_cold,
    "rate": measure_rate,
    "fresh": measure_fresh,
    "cpu": measure_cpu,
    "memory": measure_memory,
    "kill": measure_kill,
    "queue": measure_queue,
    "payloads": measure_payloads,
    "gvisor": measure_gvisor,
    "peers": measure_peers,
    "demo": measure_demo,
}


def run_bench(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure what `plan` names, the floors again at the end, and return the document of the run.

    Raises:
        EngineUnavailable: the engine cannot be asked about itself.
    """
    started, machine = time.monotonic(), machine_facts(ground.engine, ground.runtime)
    found = Findings(skipped=plan.left_out)
    for name in plan.sections:
        ground.tell(f"Measuring {name}: {SECTIONS[name]}")
        _measure(name, ground, plan, found)
    _measure_floors_again(ground, plan, found)
    machine["load_average_at_the_end"] = machine_facts(ground.engine, ground.runtime)["load_average"]
    return bench_document(found, machine, plan, time.monotonic() - started)


def _measure(name: str, ground: Ground, plan: Plan, found: Findings) -> None:
    """Measure one section; what it cannot do here must not cost what the others found."""
    started = time.monotonic()
    with kept(name, ground, found):
        measured = _MEASURES[name](ground, plan)
        found.sections[name] = {**measured, "took_s": round(time.monotonic() - started, 1)}


def _measure_floors_again(ground: Ground, plan: Plan, found: Findings) -> None:
    if "floors" not in found.sections or len(found.sections) == 1:
        return
    ground.tell("Measuring the floors again")
    with kept("floors", ground, found):
        found.sections["floors"]["at_the_end"] = measure_floors(ground, plan)["subjects"]


@contextmanager
def kept(name: str, ground: Ground, found: Findings) -> Iterator[None]:
    """Note why section `name` was not measured, whatever the reason, and go on."""
    try:
        yield
    except SkippedSection as skipped:
        _skip(name, str(skipped), ground, found)
    except PermissionError as refused:
        why = f"this user may not look at {refused.filename or 'what it measures'}: run the bench as root"
        _skip(name, why, ground, found)
    except ToolwrightError as fault:
        _fail(name, str(fault), ground, found)
    except Exception as fault:  # noqa: BLE001 - whatever it is, the other sections' figures are worth more
        _fail(name, f"{type(fault).__name__}: {fault}", ground, found)


def _skip(name: str, why: str, ground: Ground, found: Findings) -> None:
    ground.tell(f"NOT MEASURED: {name}: {why}")
    found.skipped[name] = why


def _fail(name: str, why: str, ground: Ground, found: Findings) -> None:
    ground.tell(f"FAILED: {name}: {why}")
    found.failed[name] = why
