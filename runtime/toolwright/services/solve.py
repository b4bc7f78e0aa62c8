"""SolveService: answers questions with tools."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from toolwright.domain.task import check_question
from toolwright.services.base import TENANT, Solving
from toolwright.services.calls import scope_of
from toolwright.services.convert.events import solve_to_wire
from toolwright.services.convert.execution import reference_from_wire
from toolwright.v1 import solve_pb2, solve_pb2_grpc


class SolveService(solve_pb2_grpc.SolveServiceServicer):
    """Converts, calls the solver, converts each step back."""

    def __init__(self, solver: Solving) -> None:
        """Serve `solver`."""
        self._solver = solver

    def Solve(
        self, request: solve_pb2.SolveRequest, context: grpc.ServicerContext
    ) -> Iterator[solve_pb2.SolveResponse]:
        """Send each step on the way to the answer."""
        question = check_question(request.question)
        tool = reference_from_wire(request.tool) if request.tool else ""
        with scope_of(context) as scope:
            steps = self._solver.solve(
                question, tool=tool, cancellation=scope.cancellation, deadline_s=scope.deadline_s, tenant=TENANT
            )
            for event in steps:
                yield solve_to_wire(event)
