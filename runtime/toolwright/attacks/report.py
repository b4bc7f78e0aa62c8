"""What an attack run found: as JSON for machines, and as one HTML page for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from toolwright.attacks.run import Result, Verdict
from toolwright.attacks.score import TITLES, Score
from toolwright.domain.shown import shown

# What a tool said stands in a result's detail, so everything is escaped, without exception.
_PAGES: Final = Environment(
    loader=PackageLoader("toolwright.attacks", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Report:
    """One run of the attack matrix on one machine."""

    date: str
    """When it began: ISO 8601, UTC."""
    versions: Mapping[str, str]
    """What was attacked: product, engine, runtimes, kernel, cgroup version, machine."""
    image: str
    """Digest of the sandbox image."""
    seed: int
    """The order of the cases was drawn by it."""
    of: int
    """How many cases there are; fewer may have been chosen."""
    results: tuple[Result, ...]
    scores: tuple[Score, ...] = ()
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Runtime → why a server would run no tool under it on this machine. Cases may hold there all the same."""

    @property
    def fired(self) -> int:
        """How many different cases were fired."""
        return len({result.id for result in self.results})

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Runtime → verdict → how many cases."""
        found: dict[str, Counter[str]] = {}
        for result in self.results:
            found.setdefault(result.runtime, Counter())[result.verdict.value] += 1
        return {
            runtime: {verdict.value: counter[verdict.value] for verdict in Verdict}
            for runtime, counter in found.items()
        }

    @property
    def passed(self) -> bool:
        """Whether something was fired and nothing failed. What is not proven is listed, and is no failure."""
        verdicts = {result.verdict for result in self.results}
        return Verdict.PASS in verdicts and Verdict.FAIL not in verdicts

    def document(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "date": self.date,
            "versions": dict(self.versions),
            "image": self.image,
            "seed": self.seed,
            "passed": self.passed,
            "fired": self.fired,
            "of": self.of,
            "refusals": dict(self.refusals),
            "counts": {runtime: dict(counts) for runtime, counts in self.counts.items()},
            "results": [asdict(result) for result in self.results],
            "scores": [
                {"name": score.name, "held": score.held, "of": len(score.in_force), "in_force": dict(score.in_force)}
                for score in self.scores
            ],
        }

    def page(self) -> str:
        """Return the report as one HTML page that loads nothing and runs nothing."""
        rows: dict[str, dict[str, Result]] = {}
        for result in sorted(self.results, key=lambda one: one.id):
            rows.setdefault(result.id, {})[result.runtime] = result
        return _PAGES.get_template("report.html").render(
            report=self, rows=rows, runtimes=list(self.counts), limits=TITLES, visible=shown
        )
