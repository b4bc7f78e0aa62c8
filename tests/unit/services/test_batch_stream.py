"""How a stream of calls ends when it is killed at the worst moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator

import pytest

from toolwright.errors import CallCancelled
from toolwright.sandbox.base import Cancellation
from toolwright.services.batch_stream import BatchStream
from toolwright.services.fair_share import FairShare
from toolwright.v1 import execution_pb2

pytestmark = pytest.mark.unit


class Recorded:
    """Implements `batch_stream.Answering`: keeps what it was asked."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.refused: list[tuple[str, type[Exception]]] = []

    def run(
        self, request: execution_pb2.ExecuteBatchRequest, cancellation: Cancellation, hurry: threading.Event
    ) -> execution_pb2.ExecuteBatchResponse:
        """Answer at once."""
        self.ran.append(request.request_id)
        return execution_pb2.ExecuteBatchResponse(request_id=request.request_id)

    def refuse(self, request_id: str, fault: Exception) -> execution_pb2.ExecuteBatchResponse:
        """Answer at once."""
        self.refused.append((request_id, type(fault)))
        return execution_pb2.ExecuteBatchResponse(request_id=request_id)


class Interrupted(FairShare):
    """Gives a place, but not before something else has happened."""

    def __init__(self, first: Callable[[], None]) -> None:
        super().__init__(1)
        self._first = first

    def take(self, taker: Hashable, given_up: Callable[[], bool]) -> bool:
        """See `FairShare.take`."""
        taken = super().take(taker, given_up)
        self._first()
        return taken


@pytest.mark.parametrize("killed", [False, True])
def test_a_call_that_was_taken_and_does_not_run_yet_is_killed_too(*, killed: bool) -> None:
    """It has a place, but nobody could cancel it yet: it is answered and not run. Not killed, it runs."""

    def kill() -> None:
        if killed:
            stream.kill()

    def requests() -> Iterator[execution_pb2.ExecuteBatchRequest]:
        yield execution_pb2.ExecuteBatchRequest(request_id="a")

    answering = Recorded()
    stream = BatchStream(requests(), answering, Interrupted(kill), in_flight=1)
    assert [answer.request_id for answer in stream.answers()] == ["a"]
    assert answering.ran == ([] if killed else ["a"])
    assert answering.refused == ([("a", CallCancelled)] if killed else [])
