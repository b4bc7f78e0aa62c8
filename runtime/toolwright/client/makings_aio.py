"""The part of `AsyncClient` that is about makings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable

from toolwright.client import messages
from toolwright.client.connection_aio import AsyncConnection
from toolwright.domain.events import MakingEvent
from toolwright.domain.job import Budget
from toolwright.domain.making import MakingDetails, MakingInfo
from toolwright.domain.task import Task
from toolwright.services.convert.events import making_from_wire
from toolwright.services.convert.makings import making_details_from_wire, making_info_from_wire
from toolwright.v1 import makings_pb2


class AsyncClientMakings(AsyncConnection):
    """See `ClientMakings`."""

    def make(
        self,
        task: Task,
        *,
        attempts: int = 0,
        budget: Budget | None = None,
        candidates: int = 0,
        timeout_s: float | None = None,
    ) -> AsyncIterator[MakingEvent]:
        """Have a tool made; see `Client.make`."""
        request = messages.make_request(task, attempts, budget, candidates)
        events = self._stream(
            lambda left: self._tools.MakeTool(request, timeout=left), messages.long(timeout_s), messages.MAKING_GOES_ON
        )
        return (messages.read(making_from_wire, event) async for event in events)

    def follow_making(self, making_id: str, *, timeout_s: float | None = None) -> AsyncIterator[MakingEvent]:
        """Give the events of a making from its start to its end; see `Client.follow_making`."""
        request = makings_pb2.FollowMakingRequest(making_id=making_id)
        events = self._stream(
            lambda left: self._tools.FollowMaking(request, timeout=left),
            messages.long(timeout_s),
            messages.MAKING_GOES_ON,
        )
        return (messages.read(making_from_wire, event.step) async for event in events)

    async def list_makings(
        self, *, task: str = "", open_only: bool = False, timeout_s: float | None = None
    ) -> AsyncIterator[MakingInfo]:
        """Give makings, newest first; see `Client.list_makings`."""

        def ask(token: str, left: float) -> Awaitable[makings_pb2.ListMakingsResponse]:
            request = makings_pb2.ListMakingsRequest(task=task, open_only=open_only, page_token=token)
            return self._tools.ListMakings(request, timeout=left)

        async for page in self._pages(ask, timeout_s):
            for making in page.makings:
                yield messages.read(making_info_from_wire, making)

    async def get_making(self, making_id: str, *, timeout_s: float | None = None) -> MakingDetails:
        """Return a making with its attempts; see `Client.get_making`."""
        request = makings_pb2.GetMakingRequest(making_id=making_id)
        reply = await self._unary(lambda left: self._tools.GetMaking(request, timeout=left), timeout_s)
        return messages.read(making_details_from_wire, reply)

    async def cancel_making(self, making_id: str, *, reason: str = "", timeout_s: float | None = None) -> MakingInfo:
        """End a making; see `Client.cancel_making`."""
        request = messages.cancel_request(making_id, reason)
        reply = await self._unary(lambda left: self._tools.CancelMaking(request, timeout=left), timeout_s)
        return messages.read(making_info_from_wire, reply.making)
