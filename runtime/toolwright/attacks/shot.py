"""An attack that was fired, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from toolwright.attacks.proof import not_proven
from toolwright.domain.outcome import Execution, Outcome, Status


@dataclass(frozen=True, slots=True)
class Shot:
    """An attack and what came of it."""

    execution: Execution
    seconds: float
    ended_at: float
    """When the verdict came, by the monotonic clock."""
    survived: bool
    """Whether the next call was given the same container; else it was thrown away."""

    @property
    def outcome(self) -> Outcome:
        """The verdict, and what goes with it."""
        return self.execution.outcome

    @property
    def status(self) -> Status:
        """The verdict."""
        return self.execution.outcome.status

    @property
    def failure(self) -> str:
        """Type of the failure; empty if there is none."""
        return self.outcome.failure.type if self.outcome.failure else ""

    @property
    def message(self) -> str:
        """Text of the failure; empty if there is none."""
        return self.outcome.failure.message if self.outcome.failure else ""

    @property
    def value(self) -> Any:
        """What the probe returned.

        Raises:
            NotProven: it returned nothing.
        """
        return returned(self.outcome)


def returned(outcome: Outcome) -> Any:
    """Return what a probe returned.

    Raises:
        NotProven: it returned nothing.
    """
    if outcome.result_json is None:
        not_proven(f"the probe ended with {outcome}")
    return json.loads(outcome.result_json)
