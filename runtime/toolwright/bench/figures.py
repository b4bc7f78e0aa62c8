"""The figures to hold: what a run has to reach, what it aims at, and what it reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from toolwright.bench.spread import P99_NEEDS

_Document = Mapping[str, Any]


class Verdict(StrEnum):
    """What is to be said of one figure."""

    AIM = "aim"
    """Reached what is aimed at."""
    MUST = "must"
    """Reached what has to be."""
    MISSED = "missed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure to hold."""

    name: str
    what: str
    must: float
    aim: float
    unit: str
    """`ratio`, `calls/s`, `MiB`, `%`, `ms` or `s`."""
    path: tuple[str, ...]
    """Where a run's sections have it."""
    at_least: bool = False
    """Whether more is better."""
    needs: tuple[tuple[tuple[str, ...], float], ...] = ()
    """(path, least value there): what has to be so for the figure to count as measured."""

    def judged(self, sections: _Document) -> dict[str, Any]:
        """Return the figure with what `sections` say of it, for JSON."""
        measured = self._measured(sections)
        own = {name: value for name, value in asdict(self).items() if name not in {"path", "needs"}}
        return {**own, "measured": measured, "verdict": self.verdict(measured).value}

    def verdict(self, measured: float | None) -> Verdict:
        """Return what is to be said of `measured`."""
        if measured is None:
            return Verdict.NOT_MEASURED
        for bound, verdict in ((self.aim, Verdict.AIM), (self.must, Verdict.MUST)):
            if measured >= bound if self.at_least else measured <= bound:
                return verdict
        return Verdict.MISSED

    def _measured(self, sections: _Document) -> float | None:
        if any((_at(sections, path) or 0) < least for path, least in self.needs):
            return None
        return _at(sections, self.path)


def _at(sections: _Document, path: tuple[str, ...]) -> float | None:
    found: Any = sections
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, int | float) else None


def _ratio(name: str) -> tuple[str, ...]:
    return ("warm", "ratios", name, "p50")


FIGURES: Final = (
    Figure(
        "warm_to_fork_pipe", "warm call over gRPC, p50, to fork and pipe", 5, 2.5, "ratio", _ratio("tool_to_fork_pipe")
    ),
    Figure("warm_to_docker_exec", "the same to `docker exec`", 1 / 12, 1 / 30, "ratio", _ratio("tool_to_docker_exec")),
    Figure(
        "p99_to_p50",
        "p99 to p50, one caller",
        5,
        3,
        "ratio",
        ("warm", "p99_to_p50"),
        needs=((("warm", "subjects", "tool", "count"), P99_NEEDS),),
    ),
    Figure(
        "calls_per_second",
        "calls a second, 8 callers (set for two cores)",
        200,
        400,
        "calls/s",
        ("rate", "by_callers", "8"),
        at_least=True,
    ),
    Figure(
        "science_to_warm",
        "tool that imports NumPy and pandas, to the small one",
        3,
        1.5,
        "ratio",
        _ratio("science_to_tool"),
    ),
    Figure(
        "fresh_to_docker_run",
        "isolation=call, pool filled, to `docker run`",
        1 / 15,
        1 / 40,
        "ratio",
        _ratio("call_to_docker_run"),
    ),
    Figure(
        "idle_container",
        "idle warm container beyond shared pages",
        30,
        12,
        "MiB",
        ("memory", "container", "python", "whole_mib"),
    ),
    Figure(
        "server_growth",
        "server's memory, 10,000 calls in",
        10,
        2,
        "%",
        ("memory", "server", "growth_percent"),
        needs=((("memory", "server", "calls"), 10_000),),
    ),
    Figure(
        "kill",
        "from the time limit until the whole tree is gone, p50",
        300,
        50,
        "ms",
        ("kill", "tools", "nine_processes", "tree_gone", "p50"),
    ),
    Figure("demo", "`toolwright demo`, images built", 60, 20, "s", ("demo", "seconds")),
)
