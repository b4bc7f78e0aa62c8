"""The time that one attempt's code may take in the sandbox, all its calls together."""

from __future__ import annotations

from dataclasses import dataclass

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.outcome import Execution
from toolwright.execution.base import Executor
from toolwright.sandbox.base import Cancellation, SandboxInfo

DEFAULT_VERIFY_S = 300.0


class BudgetSpent(Exception):
    """All calls together ran for longer than they may; nothing more was begun."""


@dataclass(slots=True)
class BudgetedExecutor:
    """Adds to any `Executor`: what has run for `left_s` seconds in all begins nothing more.

    Each call alone has its limit on wall time. Thousands of calls that each stay just below it would take days.
    """

    base: Executor
    left_s: float
    """Goes down by the wall time of each call, as measured outside the tool."""

    @property
    def info(self) -> SandboxInfo:
        """Image and runtime that calls run under."""
        return self.base.info

    def execute(
        self,
        request: ExecutionRequest,
        *,
        deadline_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> Execution:
        """Run one call to its end; see `execution.base.Executor`.

        Raises:
            BudgetSpent: the time was over before.
        """
        if self.left_s <= 0:
            raise BudgetSpent
        execution = self.base.execute(request, deadline_s=deadline_s, cancellation=cancellation)
        self.left_s -= execution.outcome.usage.wall_ms / 1000
        return execution
