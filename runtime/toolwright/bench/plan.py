"""What is measured, and how often."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from toolwright.errors import InvalidInput

SECTIONS: Final = {
    "floors": "fork and pipe, a Python's start, docker exec, docker run",
    "warm": "a warm call by isolation and image, beside the floors, and where its time goes",
    "cold": "a call that finds an empty pool; one of source never seen",
    "rate": "calls a second of 1, 2, 4, 8 and 16 callers",
    "fresh": "isolation=call: a burst, and what the engine can sustain",
    "cpu": "processor time of 1,000 calls, by process",
    "memory": "an idle container beyond shared pages; the server before and after many calls",
    "kill": "from the time limit to the end of the whole tree",
    "queue": "ten times as many callers as there are places",
    "payloads": "arguments and results from 1 KiB to the limits",
    "gvisor": "the same call under runsc, beside runc",
    "peers": "other sandboxes on the same engine",
    "demo": "the whole of `toolwright demo`",
}
"""Name → what it measures, in the order in which they are run."""
_NOT_QUICK: Final = frozenset({"fresh", "gvisor", "peers", "demo"})


@dataclass(frozen=True, slots=True)
class Plan:
    """How one run goes."""

    sections: tuple[str, ...] = tuple(SECTIONS)
    quick: bool = False
    chosen: bool = False
    """Whether the sections were chosen one by one."""
    calls: int = 1_000
    """By one caller, in all blocks together."""
    rounds: int = 30
    """Runs of each kind of container, in all blocks together."""
    concurrency: int = 8
    """Callers for whom the headline's calls a second are told."""

    @property
    def blocks(self) -> int:
        """How often all subjects take their turns."""
        return 3 if self.quick else 10

    @property
    def calls_a_block(self) -> int:
        """Calls in one block."""
        return max(1, round(self.calls / self.blocks))

    @property
    def engine_rounds(self) -> int:
        """Runs of one kind of container in one block."""
        return max(1, round(self.rounds / self.blocks))

    @property
    def left_out(self) -> dict[str, str]:
        """The sections that are not run, and why."""
        why = "not asked for" if self.chosen else "left out of a quick run"
        return {name: why for name in SECTIONS if name not in self.sections}


def make_plan(
    *, quick: bool, only: Iterable[str], calls: int | None = None, rounds: int | None = None, concurrency: int = 8
) -> Plan:
    """Return the plan; without `only` of all sections, but those that a quick run has no time for.

    Raises:
        InvalidInput: a section that there is not.
    """
    wanted = tuple(dict.fromkeys(only))
    if unknown := [name for name in wanted if name not in SECTIONS]:
        raise InvalidInput("--only", f"there is no section {unknown[0]!r}", f"of {', '.join(SECTIONS)}")
    every = tuple(name for name in SECTIONS if not (quick and name in _NOT_QUICK))
    sections = tuple(name for name in SECTIONS if name in wanted) if wanted else every
    fallback = Plan(calls=180, rounds=3) if quick else Plan()
    return Plan(sections, quick, bool(wanted), calls or fallback.calls, rounds or fallback.rounds, concurrency)
