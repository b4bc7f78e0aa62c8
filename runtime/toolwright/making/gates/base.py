"""What a gate is: a name, and a look at the case that ends in one ruling."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from toolwright.domain.events import Checked
from toolwright.domain.gates import Evidence, GateName
from toolwright.making.case import Case


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one gate says of a case."""

    evidence: Evidence
    feedback: str = ""
    """Empty if it passed; else for the maker. Holds nothing of held-out examples."""
    failed: tuple[str, ...] = ()
    """Ids of the examples that failed."""

    @property
    def passed(self) -> bool:
        """Whether the gate lets it through."""
        return not self.feedback


Steps = Generator[Checked, None, Ruling]


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate. `judge` may raise what the executor and the light model raise."""

    name: GateName
    judge: Callable[[Case], Steps]


def gate(name: GateName, judge: Callable[[Case], Ruling]) -> Gate:
    """Return a gate of a function that has no steps to tell of."""

    def steps(case: Case) -> Steps:
        yield from ()
        return judge(case)

    return Gate(name, steps)
