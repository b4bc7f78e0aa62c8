"""What the stages of making hand to each other."""

from __future__ import annotations

from dataclasses import dataclass

from toolwright.calling.caller import Ending
from toolwright.domain.record import Check, Stage
from toolwright.domain.task import Example

TRAINING_SHOWN = 3
"""Training examples that the maker sees, and that its code is tried on first."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt did not pass. A value that feeds the next attempt, not an exception."""

    stage: Stage
    feedback: str
    """Goes to the maker; holds nothing of held-out examples."""
    failed: tuple[str, ...] = ()
    """Ids of the examples that failed."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One example tried on the tool."""

    example: Example
    held_out: bool
    ending: Ending
    passed: bool
    repaired: bool = False
    """Whether the light model needed a second turn."""

    @property
    def check(self) -> Check:
        """The trial for the verification record.

        Raises:
            ValueError: nothing ran, so there is nothing to record.
        """
        execution = self.ending.execution
        if execution is None:
            raise ValueError(f"example {self.example.id!r} was never run")
        return Check(self.example.id, self.held_out, execution.outcome.status, self.passed, execution.execution_id)
