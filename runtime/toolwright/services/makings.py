"""The part of ToolService that is about makings as jobs."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from toolwright.domain.job import MAX_CANCEL_REASON_CHARS
from toolwright.errors import InvalidInput
from toolwright.registry.base import Store
from toolwright.services.base import TENANT, ToolMaking
from toolwright.services.calls import scope_of
from toolwright.services.convert.events import making_to_wire
from toolwright.services.convert.makings import attempt_to_wire, budget_from_wire, job_to_wire, making_id_from_wire
from toolwright.services.convert.tools import task_from_wire
from toolwright.services.paging import makings_after, makings_token, page_size
from toolwright.v1 import makings_pb2, tools_pb2


class MakingCalls:
    """Handlers of the calls about makings; `ToolService` has them."""

    _store: Store
    _maker: ToolMaking

    def MakeTool(
        self, request: tools_pb2.MakeToolRequest, context: grpc.ServicerContext
    ) -> Iterator[tools_pb2.MakeToolResponse]:
        """Send each step of making."""
        budget, candidates = budget_from_wire(request)
        if not request.HasField("task"):
            raise InvalidInput("task", "is not set", "a task with examples")
        task = task_from_wire(request.task)
        with scope_of(context) as scope:
            steps = self._maker.make(
                task,
                attempts=budget.attempts,
                budget=budget,
                candidates=candidates,
                cancellation=scope.cancellation,
                tenant=TENANT,
            )
            for step in steps:
                yield making_to_wire(step)

    def FollowMaking(
        self, request: makings_pb2.FollowMakingRequest, context: grpc.ServicerContext
    ) -> Iterator[tools_pb2.FollowMakingResponse]:
        """Send each step of a making that was asked for before."""
        making_id = making_id_from_wire(request.making_id)
        with scope_of(context) as scope:
            for step in self._maker.follow(making_id, cancellation=scope.cancellation):
                yield tools_pb2.FollowMakingResponse(step=making_to_wire(step))

    def ListMakings(
        self, request: makings_pb2.ListMakingsRequest, context: grpc.ServicerContext
    ) -> makings_pb2.ListMakingsResponse:
        """Return makings, newest first, a page at a time."""
        size, after = page_size(request.page_size), makings_after(request.page_token)
        found = self._store.jobs.list(task=request.task, open_only=request.open_only, after=after, limit=size + 1)
        page = found[:size]
        return makings_pb2.ListMakingsResponse(
            makings=map(job_to_wire, page),
            next_page_token=makings_token(page[-1].making_id) if len(found) > size else "",
        )

    def GetMaking(
        self, request: makings_pb2.GetMakingRequest, context: grpc.ServicerContext
    ) -> makings_pb2.GetMakingResponse:
        """Return one making with its attempts."""
        job = self._store.jobs.get(making_id_from_wire(request.making_id))
        attempts = self._store.list_attempts(job.making_id)
        return makings_pb2.GetMakingResponse(making=job_to_wire(job), attempts=map(attempt_to_wire, attempts))

    def CancelMaking(
        self, request: makings_pb2.CancelMakingRequest, context: grpc.ServicerContext
    ) -> makings_pb2.CancelMakingResponse:
        """End one making."""
        if len(request.reason) > MAX_CANCEL_REASON_CHARS:
            problem = f"has {len(request.reason)} characters"
            raise InvalidInput("reason", problem, f"at most {MAX_CANCEL_REASON_CHARS}")
        job = self._maker.cancel(making_id_from_wire(request.making_id), request.reason)
        return makings_pb2.CancelMakingResponse(making=job_to_wire(job))
