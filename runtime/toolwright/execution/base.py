"""The only way by which making and solving reach tool code."""

from __future__ import annotations

from typing import Protocol

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.outcome import Execution
from toolwright.sandbox.base import Cancellation, SandboxInfo


class Executor(Protocol):
    """Runs calls: validate ▸ queue ▸ lease ▸ run ▸ record ▸ reply. The gRPC service is a thin form of it."""

    @property
    def info(self) -> SandboxInfo:
        """Image and runtime that calls run under."""

    def execute(
        self,
        request: ExecutionRequest,
        *,
        deadline_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> Execution:
        """Run one call to its end and keep its record.

        Args:
            request: what to run.
            deadline_s: seconds from now after which the caller has no use for the answer.
            cancellation: ends the call from another thread.

        Raises:
            InvalidInput: arguments or limits are off; no sandbox was used.
            NotFound: the tool.
            NotReady: the version is not active, or a tool that it is made from is not.
            PermissionDenied: weaker isolation was asked for than the policy has; no sandbox was used.
            Overloaded, SandboxUnavailable, EngineUnavailable, StoreUnavailable: nothing ran.
            DeadlineExceeded, CallCancelled: killed, or never started.
        """
