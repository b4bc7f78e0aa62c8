"""`toolwright bench`: floors and ours in one run, on the same engine."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import psutil
import typer
from rich.table import Table

from toolwright.cli.command import Session
from toolwright.cli.environment import Floors, Services
from toolwright.cli.exit import ExitStatus
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import SandboxUnavailable

_CODE = "def sort_words(words: list[str]) -> list[str]:\n    return sorted(words)\n"
_TOOL = ToolSource(_CODE, "sort_words")
_ARGUMENTS = {"words": ["quilt", "anvil", "ferret", "tulip", "kettle", "walnut", "ember", "otter", "dew", "hinge"]}
_WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, in milliseconds and calls a second."""

    floor: Floors
    alone: Sequence[float]
    """Each call of one caller."""
    calls_per_second: float
    """Of all callers together."""
    concurrency: int
    cold: Sequence[float]
    """Each first call of a source that was never seen."""


def bench(
    session: Session,
    calls: Annotated[int, typer.Option("--calls", min=10, max=100_000, help="Calls by one caller.")] = 300,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=64, help="Callers at once.")] = 8,
    rounds: Annotated[int, typer.Option("--rounds", min=3, max=1_000, help="Runs of each kind of container.")] = 10,
) -> ExitStatus:
    """Measure the floors (fork and pipe, docker exec, docker run) and ExecuteTool over gRPC, and compare them.

    The work is the same everywhere: sort ten words, answer as JSON.

    Exit status: 0 measured, 3 a fault of ours.
    """
    screen = session.screen
    screen.note("Measuring the floors")
    floor = session.environment.floors(session.options, rounds=rounds)
    with session.services(fresh_state=True) as services:
        screen.note("Measuring cold calls")
        cold = [_timed(services, ToolSource(f"{_CODE}# {time.time_ns()}\n", "sort_words")) for _ in range(rounds)]
        screen.note(f"Measuring {calls} calls of one caller, then of {concurrency}")
        for _ in range(_WARM_UP):
            _timed(services, _TOOL)
        alone = [_timed(services, _TOOL) for _ in range(calls)]
        rate = _rate(services, calls, concurrency)
    measured = Measured(floor, alone, rate, concurrency, cold)
    document = bench_document(measured)
    screen.document(document)
    if not screen.as_json:
        screen.say(_table(document))
        screen.say(_machine_words(document["machine"]), style="dim")
    return ExitStatus.DONE


def bench_document(measured: Measured) -> dict[str, Any]:
    """Return what `bench --json` shows."""
    p50, p99 = statistics.median(measured.alone), percentile(measured.alone, 0.99)
    floor = measured.floor
    return {
        "floor": asdict(floor),
        "execute_tool": {
            "p50_ms": p50,
            "p99_ms": p99,
            "calls_per_second": measured.calls_per_second,
            "concurrency": measured.concurrency,
            "calls": len(measured.alone),
        },
        "cold": {"p50_ms": statistics.median(measured.cold), "calls": len(measured.cold)},
        "ratios": {
            "p50_to_fork_pipe": p50 / floor.fork_pipe_ms,
            "p50_to_docker_exec": p50 / floor.docker_exec_ms,
            "p50_to_docker_run": p50 / floor.docker_run_ms,
            "cold_to_docker_run": statistics.median(measured.cold) / floor.docker_run_ms,
            "p99_to_p50": p99 / p50,
        },
        "machine": _machine(),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of `values` that at least `share` of them do not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def _timed(services: Services, source: ToolSource) -> float:
    started = time.perf_counter()
    execution = services.execute(source, _ARGUMENTS)
    milliseconds = 1000 * (time.perf_counter() - started)
    _check(execution)
    return milliseconds


def _rate(services: Services, calls: int, concurrency: int) -> float:
    # As long as each caller would take alone, so that starting and ending weigh little.
    total = max(calls, 10 * concurrency)
    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(lambda _: _timed(services, _TOOL), range(concurrency)))  # containers start here, not below
        started = time.perf_counter()
        list(pool.map(lambda _: _timed(services, _TOOL), range(total)))
        return total / (time.perf_counter() - started)


def _check(execution: Execution) -> None:
    outcome = execution.outcome
    if outcome.status is not Status.SUCCESS:
        why = outcome.failure.message if outcome.failure else ""
        raise SandboxUnavailable(f"a call of the bench ended with {outcome.status.value}: {why}")


def _machine() -> dict[str, Any]:
    return {
        "cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load_average": psutil.getloadavg()[0],
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }


def _machine_words(machine: dict[str, Any]) -> str:
    size = f"{machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, load {machine['load_average']:.1f}"
    return (
        f"{size}, kernel {machine['kernel']}, Python {machine['python']}. "
        "Floors and ours from one run: compare the ratios, not milliseconds of two runs."
    )


def _table(document: dict[str, Any]) -> Table:
    floor, ours, ratios = document["floor"], document["execute_tool"], document["ratios"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_column("warm p50 to it", justify="right")
    table.add_row(
        "fork and pipe, no isolation, p50", f"{floor['fork_pipe_ms']:.2f} ms", f"{ratios['p50_to_fork_pipe']:.2f}"
    )
    table.add_row("docker exec, p50", f"{floor['docker_exec_ms']:.1f} ms", f"1/{1 / ratios['p50_to_docker_exec']:.0f}")
    table.add_row("docker run, p50", f"{floor['docker_run_ms']:.1f} ms", f"1/{1 / ratios['p50_to_docker_run']:.0f}")
    table.add_row("ExecuteTool over gRPC, warm, p50", f"{ours['p50_ms']:.2f} ms", "1")
    table.add_row("the same, p99", f"{ours['p99_ms']:.2f} ms", f"{ratios['p99_to_p50']:.2f}")
    table.add_row(f"calls a second, {ours['concurrency']} callers", f"{ours['calls_per_second']:.0f}", "")
    table.add_row("first call of a source never seen, p50", f"{document['cold']['p50_ms']:.1f} ms", "")
    return table
