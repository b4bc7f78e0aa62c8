"""The requests of a batch for threads: gRPC takes them in a thread of its own, as far as there is room."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from toolwright.client.batch import BatchLedger
from toolwright.domain.batch import BatchAnswer, BatchCall
from toolwright.v1 import execution_pb2


class ThreadFeed:
    """An iterator of requests that waits where too many have no answer."""

    def __init__(self, calls: Iterable[BatchCall], in_flight: int) -> None:
        """Send `calls`, at most `in_flight` without an answer."""
        self.ledger = BatchLedger()
        self._calls = iter(calls)
        self._slots = threading.Semaphore(in_flight)
        self._ended = False
        self._fault: BaseException | None = None

    def __iter__(self) -> Iterator[execution_pb2.ExecuteBatchRequest]:
        """Return itself."""
        return self

    def __next__(self) -> execution_pb2.ExecuteBatchRequest:
        """Wait for room, and give the next request."""
        self._slots.acquire()
        if self._ended:
            raise StopIteration
        try:
            return self.ledger.send(next(self._calls))
        except StopIteration:
            raise
        except BaseException as fault:  # noqa: BLE001 - raised where the answers are read
            self._fault = fault
            raise StopIteration from None

    def read(self, message: execution_pb2.ExecuteBatchResponse) -> BatchAnswer:
        """Return an answer, and let another call be sent."""
        answer = self.ledger.read(message)
        self._slots.release()
        return answer

    def end(self) -> None:
        """Let the thread that sends come to its end."""
        self._ended = True
        self._slots.release()

    def finish(self) -> None:
        """Raise what the caller's own calls raised, or that answers are missing."""
        if self._fault is not None:
            raise self._fault
        self.ledger.check_complete()
