"""ExecutionService: runs tools in sandboxes."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from toolwright.domain.source import ToolSource
from toolwright.errors import NotReady
from toolwright.execution.base import Executor
from toolwright.services.base import TENANT
from toolwright.services.batch import BatchBounds, Batches
from toolwright.services.calls import CallScope, not_served, scope_of
from toolwright.services.convert.execution import execution_to_wire, request_from_wire
from toolwright.services.faults import Faults
from toolwright.v1 import execution_pb2, execution_pb2_grpc


class ExecutionService(execution_pb2_grpc.ExecutionServiceServicer):
    """Converts, calls the executor, converts back."""

    def __init__(self, executor: Executor, faults: Faults, *, source_allowed: bool, batch_bounds: BatchBounds) -> None:
        """Serve `executor`.

        Args:
            executor: runs calls.
            faults: says what callers are told of one call of a batch that failed.
            source_allowed: whether bare source may be run.
            batch_bounds: how much batches may take.
        """
        self._executor = executor
        self._source_allowed = source_allowed
        self.batches = Batches(self._run, faults, batch_bounds)

    def ExecuteTool(
        self, request: execution_pb2.ExecuteToolRequest, context: grpc.ServicerContext
    ) -> execution_pb2.ExecuteToolResponse:
        """Run one call and wait for its end."""
        with scope_of(context) as scope:
            return self._run(request, scope)

    def ExecuteToolStream(
        self, request: execution_pb2.ExecuteToolStreamRequest, context: grpc.ServicerContext
    ) -> Iterator[execution_pb2.ExecuteToolStreamResponse]:
        """Not served yet."""
        not_served("ExecuteToolStream")

    def ExecuteBatch(
        self, request_iterator: Iterator[execution_pb2.ExecuteBatchRequest], context: grpc.ServicerContext
    ) -> Iterator[execution_pb2.ExecuteBatchResponse]:
        """Run the calls of a stream and answer each as it ends."""
        return self.batches.serve(request_iterator, context)

    def _run(self, request: execution_pb2.ExecuteToolRequest, scope: CallScope) -> execution_pb2.ExecuteToolResponse:
        asked = request_from_wire(request, tenant=TENANT)
        if isinstance(asked.target, ToolSource) and not self._source_allowed:
            raise NotReady(
                "this server runs verified tools only: register the source with RegisterTool, or set allow_source"
            )
        execution = self._executor.execute(asked, deadline_s=scope.deadline_s, cancellation=scope.cancellation)
        return execution_to_wire(execution)
