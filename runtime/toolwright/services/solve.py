"""SolveService: answers questions with tools."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from toolwright.domain.lifecycle import MAX_ACTOR_CHARS
from toolwright.domain.task import check_question
from toolwright.errors import InvalidInput
from toolwright.lifecycle.solves import Solving
from toolwright.services.base import TENANT
from toolwright.services.calls import scope_of
from toolwright.services.convert.events import solve_to_wire
from toolwright.services.convert.execution import reference_from_wire
from toolwright.services.convert.misses import group_to_wire, miss_to_wire
from toolwright.services.paging import id_after, id_token, page_size
from toolwright.solving.misses import MissDesk
from toolwright.v1 import solve_pb2, solve_pb2_grpc


class SolveService(solve_pb2_grpc.SolveServiceServicer):
    """Converts, calls the solver, converts each step back."""

    def __init__(self, solver: Solving, desk: MissDesk) -> None:
        """Serve `solver`, and the questions at `desk`."""
        self._solver, self._desk = solver, desk

    def Solve(
        self, request: solve_pb2.SolveRequest, context: grpc.ServicerContext
    ) -> Iterator[solve_pb2.SolveResponse]:
        """Send each step on the way to the answer."""
        question = check_question(request.question)
        tool = reference_from_wire(request.tool) if request.tool else ""
        with scope_of(context) as scope:
            steps = self._solver.solve(
                question,
                tool=tool,
                among=tuple(request.among),
                dispatch_only=request.dispatch_only,
                cancellation=scope.cancellation,
                deadline_s=scope.deadline_s,
                tenant=TENANT,
                bypass_cache=request.bypass_cache,
            )
            for event in steps:
                yield solve_to_wire(event)

    def ListMisses(
        self, request: solve_pb2.ListMissesRequest, context: grpc.ServicerContext
    ) -> solve_pb2.ListMissesResponse:
        """Return groups, or the questions of one, a page at a time."""
        size, after = page_size(request.page_size), id_after(request.page_token)
        if not request.group:
            groups = self._desk.groups(after=after, limit=size + 1)
            token = id_token(groups[size - 1].group_id) if len(groups) > size else ""
            shown = [group_to_wire(group, self._desk.needed) for group in groups[:size]]
            return solve_pb2.ListMissesResponse(groups=shown, next_page_token=token)
        group = self._desk.group(request.group)
        misses = self._desk.questions(group.group_id, after=after, limit=size + 1)
        return solve_pb2.ListMissesResponse(
            groups=[group_to_wire(group, self._desk.needed)],
            misses=map(miss_to_wire, misses[:size]),
            next_page_token=id_token(misses[size - 1].miss_id) if len(misses) > size else "",
        )

    def AnswerMiss(
        self, request: solve_pb2.AnswerMissRequest, context: grpc.ServicerContext
    ) -> solve_pb2.AnswerMissResponse:
        """Keep a person's answer."""
        if not request.miss:
            raise InvalidInput("miss", "is empty", "the id of a question, as ListMisses shows it")
        if len(request.actor) > MAX_ACTOR_CHARS:
            raise InvalidInput("actor", f"has {len(request.actor)} characters", f"at most {MAX_ACTOR_CHARS}")
        miss, group = self._desk.answer_as_person(request.miss, request.answer, actor=request.actor)
        return solve_pb2.AnswerMissResponse(miss=miss_to_wire(miss), group=group_to_wire(group, self._desk.needed))
