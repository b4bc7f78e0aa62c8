"""The part of `Client` that is about makings."""

from __future__ import annotations

from collections.abc import Iterator

from toolwright.client import messages
from toolwright.client.connection_sync import Connection
from toolwright.domain.events import MakingEvent
from toolwright.domain.job import Budget
from toolwright.domain.making import MakingDetails, MakingInfo
from toolwright.domain.task import Task
from toolwright.services.convert.events import making_from_wire
from toolwright.services.convert.makings import making_details_from_wire, making_info_from_wire
from toolwright.v1 import makings_pb2


class ClientMakings(Connection):
    """Have tools made; look at makings, follow them, end them."""

    def make(
        self,
        task: Task,
        *,
        attempts: int = 0,
        budget: Budget | None = None,
        candidates: int = 0,
        timeout_s: float | None = None,
    ) -> Iterator[MakingEvent]:
        """Have a tool made; the first event is `Started`, the last `Made` or `NotMade`.

        Leaving early does not stop the making: `follow_making` shows it again, `cancel_making` ends it.

        Args:
            task: what the tool is wanted for.
            attempts: proposals that the maker may make, 1 to 10; 0 for the server's setting.
            budget: what may be spent besides; 0 for the server's setting.
            candidates: proposals asked for at a time, of which the best is kept, 1 to 8; 0 for the server's setting.
            timeout_s: seconds to wait for the end; half an hour if not given.

        Raises:
            InvalidInput: a field is off.
            NotReady: the server has no models. ModelError: a model does not answer.
            Overloaded, EngineUnavailable, SandboxUnavailable, StoreUnavailable, ServerUnavailable: as they say.
        """
        request = messages.make_request(task, attempts, budget, candidates)
        events = self._stream(
            lambda left: self._tools.MakeTool(request, timeout=left), messages.long(timeout_s), messages.MAKING_GOES_ON
        )
        return (messages.read(making_from_wire, event) for event in events)

    def follow_making(self, making_id: str, *, timeout_s: float | None = None) -> Iterator[MakingEvent]:
        """Give the events of a making from its start to its end, as `make` does.

        Raises:
            NotFound: there is none of that id. ModelError, …: as for `make`.
        """
        request = makings_pb2.FollowMakingRequest(making_id=making_id)
        events = self._stream(
            lambda left: self._tools.FollowMaking(request, timeout=left),
            messages.long(timeout_s),
            messages.MAKING_GOES_ON,
        )
        return (messages.read(making_from_wire, event.step) for event in events)

    def list_makings(
        self, *, task: str = "", open_only: bool = False, timeout_s: float | None = None
    ) -> Iterator[MakingInfo]:
        """Give makings, newest first. Pages are asked for as they are needed.

        Args:
            task: only those of this task; all if empty.
            open_only: only those that have not ended.
            timeout_s: seconds for each page.

        Raises:
            StoreUnavailable, StoreCorrupt, ServerUnavailable: as they say.
        """

        def ask(token: str, left: float) -> makings_pb2.ListMakingsResponse:
            request = makings_pb2.ListMakingsRequest(task=task, open_only=open_only, page_token=token)
            return self._tools.ListMakings(request, timeout=left)

        for page in self._pages(ask, timeout_s):
            for making in page.makings:
                yield messages.read(making_info_from_wire, making)

    def get_making(self, making_id: str, *, timeout_s: float | None = None) -> MakingDetails:
        """Return a making with its attempts.

        Raises:
            NotFound, InvalidInput, StoreUnavailable, StoreCorrupt, ServerUnavailable: as they say.
        """
        request = makings_pb2.GetMakingRequest(making_id=making_id)
        reply = self._unary(lambda left: self._tools.GetMaking(request, timeout=left), timeout_s)
        return messages.read(making_details_from_wire, reply)

    def cancel_making(self, making_id: str, *, reason: str = "", timeout_s: float | None = None) -> MakingInfo:
        """End a making, and return it as it is now: one that runs ends with its exchange or call that is under way.

        Args:
            making_id: as `Started` and `list_makings` give it.
            reason: why; kept with it. At most 1,000 characters.
            timeout_s: seconds to wait for the reply.

        Raises:
            NotFound, InvalidInput, StoreUnavailable, ServerUnavailable: as they say.
        """
        request = messages.cancel_request(making_id, reason)
        reply = self._unary(lambda left: self._tools.CancelMaking(request, timeout=left), timeout_s)
        return messages.read(making_info_from_wire, reply.making)
