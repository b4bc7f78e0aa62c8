"""ExecutionService: runs tools in sandboxes."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from toolwright.domain.source import ToolSource
from toolwright.errors import NotReady
from toolwright.execution.base import Executor
from toolwright.services.base import TENANT
from toolwright.services.calls import not_served, scope_of
from toolwright.services.convert.execution import execution_to_wire, request_from_wire
from toolwright.v1 import execution_pb2, execution_pb2_grpc


class ExecutionService(execution_pb2_grpc.ExecutionServiceServicer):
    """Converts, calls the executor, converts back."""

    def __init__(self, executor: Executor, *, source_allowed: bool) -> None:
        """Serve `executor`; bare source only if `source_allowed`."""
        self._executor = executor
        self._source_allowed = source_allowed

    def ExecuteTool(
        self, request: execution_pb2.ExecuteToolRequest, context: grpc.ServicerContext
    ) -> execution_pb2.ExecuteToolResponse:
        """Run one call and wait for its end."""
        asked = request_from_wire(request, tenant=TENANT)
        if isinstance(asked.target, ToolSource) and not self._source_allowed:
            raise NotReady(
                "this server runs verified tools only: register the source with RegisterTool, or set allow_source"
            )
        with scope_of(context) as scope:
            execution = self._executor.execute(asked, deadline_s=scope.deadline_s, cancellation=scope.cancellation)
        return execution_to_wire(execution)

    def ExecuteToolStream(
        self, request: execution_pb2.ExecuteToolStreamRequest, context: grpc.ServicerContext
    ) -> Iterator[execution_pb2.ExecuteToolStreamResponse]:
        """Not served yet."""
        not_served("ExecuteToolStream")

    def ExecuteBatch(
        self, request_iterator: Iterator[execution_pb2.ExecuteBatchRequest], context: grpc.ServicerContext
    ) -> Iterator[execution_pb2.ExecuteBatchResponse]:
        """Not served yet."""
        not_served("ExecuteBatch")
