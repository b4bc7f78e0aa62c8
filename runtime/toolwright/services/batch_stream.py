"""One stream of ExecuteBatch: a few threads that each take a request, run it and leave its answer.

The threads read the stream themselves, one at a time, so a request is taken only by a thread that is free to run it:
what is beyond stays in HTTP/2's windows and then at the client. They do not read on while too much is unanswered, so
a client that does not read answers cannot have the server keep them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import grpc

from toolwright.domain.batch import MAX_ID_CHARS, check_request_id
from toolwright.domain.limits import MIB
from toolwright.errors import CallCancelled, InvalidInput, Overloaded, SandboxUnavailable, ToolwrightError
from toolwright.sandbox.base import Cancellation
from toolwright.services.fair_share import FairShare
from toolwright.v1 import execution_pb2

HELD_BYTES: Final = 16 * MIB
"""Answers that wait to be read. With more of them no request is taken; what runs already comes on top."""
SHUTTING_DOWN: Final = "The server is shutting down; a call without an answer did not run."
_NO_THREAD_RETRY_S: Final = 5.0


class Answering(Protocol):
    """Answers single calls of batches. Whatever is wrong with one is its answer."""

    def run(
        self, request: execution_pb2.ExecuteBatchRequest, cancellation: Cancellation, hurry: threading.Event
    ) -> execution_pb2.ExecuteBatchResponse:
        """Run a call; `hurry` ends its waits for a place in the pool's queue."""

    def refuse(self, request_id: str, fault: Exception) -> execution_pb2.ExecuteBatchResponse:
        """Answer a call that is not run."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A request that was taken, and why it is not run, if it is not."""

    request: execution_pb2.ExecuteBatchRequest
    refusal: ToolwrightError | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer that waits to be read."""

    response: execution_pb2.ExecuteBatchResponse
    size: int
    frees: str | None
    """The id that may be used again."""


@dataclass(slots=True)
class _State:
    """What the threads of a stream share, under its lock."""

    ids: set[str] = field(default_factory=set)
    """Of calls without an answer."""
    running: dict[str, Cancellation] = field(default_factory=dict)
    answers: deque[_Answer] = field(default_factory=deque)
    pending: int = 0
    """Requests that were taken and whose answer was not read."""
    held_bytes: int = 0
    threads: int = 0
    idle: int = 0
    """Threads that have no request."""
    ended: bool = False
    """No further request is taken."""
    left: bool = False
    """Nobody reads answers any more."""
    killed: bool = False
    """What was taken and does not run yet is not run."""
    fault: Exception | None = None
    """With which the stream ends."""


class BatchStream:
    """One stream. `answers` gives them as they come; when it ends, however it does, no call runs any more."""

    def __init__(
        self,
        requests: Iterator[execution_pb2.ExecuteBatchRequest],
        answering: Answering,
        share: FairShare,
        *,
        in_flight: int,
    ) -> None:
        """Prepare a stream; nothing is read yet.

        Args:
            requests: the client's.
            answering: runs calls.
            share: of the places that all batches have together.
            in_flight: threads, and half of the requests without an answer.
        """
        self._requests = requests
        self._answering = answering
        self._share = share
        self._threads = in_flight
        self._state = _State()
        self._reading = threading.Lock()
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._hurry = threading.Event()

    def answers(self) -> Iterator[execution_pb2.ExecuteBatchResponse]:
        """Give the answers in the order in which they come.

        Raises:
            Overloaded: no thread is to be had. Nothing was taken.
            InvalidInput: what came is no request. All before it were answered.
            SandboxUnavailable: the server shuts down. What was taken was answered.
        """
        if not self._add_thread():
            raise Overloaded("no thread is to be had for a batch; nothing ran", _NO_THREAD_RETRY_S)
        try:
            while (answer := self._next()) is not None:
                yield answer
        finally:
            self.leave()
            with self._lock:
                self._news.wait_for(lambda: not self._state.running)
        if self._state.fault is not None:
            raise self._state.fault

    def leave(self) -> None:
        """Kill what runs: nobody waits for it any more. Safe to call from any thread, and more than once."""
        with self._lock:
            self._state.left = self._state.ended = True
            self._cancel_all()
            self._news.notify_all()
            self._room.notify_all()
        self._hurry.set()
        self._share.wake()

    def stop(self, fault: ToolwrightError) -> None:
        """Take no further request, answer those that were taken, and end with `fault`."""
        self._end(fault)
        self._hurry.set()
        self._share.wake()

    def kill(self) -> None:
        """Kill what runs, and run no more; each call that was taken is answered all the same."""
        with self._lock:
            self._state.killed = True
            self._cancel_all()

    # --- answers --------------------------------------------------------------------------------

    def _next(self) -> execution_pb2.ExecuteBatchResponse | None:
        state = self._state
        with self._lock:
            while not state.answers or state.left:
                if state.left or (state.ended and not state.pending):
                    return None
                self._news.wait()
            answer = state.answers.popleft()
            state.pending -= 1
            state.held_bytes -= answer.size
            if answer.frees is not None:
                state.ids.discard(answer.frees)
            self._room.notify()
        return answer.response

    def _leave_answer(self, taken: _Taken, response: execution_pb2.ExecuteBatchResponse) -> None:
        frees = None if taken.refusal else taken.request.request_id
        answer = _Answer(response, response.ByteSize(), frees)
        with self._lock:
            self._state.answers.append(answer)
            self._state.held_bytes += answer.size
            self._news.notify()

    # --- requests -------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (taken := self._take()) is not None:
                self._leave_answer(taken, self._answer(taken))
        except Exception as fault:  # noqa: BLE001 - a bug of ours here would leave the stream without an end
            self._break(fault)
        finally:
            with self._lock:
                self._state.threads -= 1

    def _take(self) -> _Taken | None:
        """Take the next request, once there is room and a place for it. None: there is nothing more to do."""
        state = self._state
        with self._lock:
            state.idle += 1
        try:
            with self._reading:
                request = self._read()
                taken = None if request is None else self._admit(request)
        finally:
            with self._lock:
                state.idle -= 1
                more = not state.ended and not state.idle and state.threads < self._threads
        if more:
            self._add_thread()
        return taken

    def _read(self) -> execution_pb2.ExecuteBatchRequest | None:
        with self._lock:
            self._room.wait_for(lambda: self._state.ended or not self._full())
            if self._state.ended:
                return None
        try:
            return next(self._requests)
        except (StopIteration, grpc.RpcError):  # half-closed; or gone, which `leave` hears of as well
            self._end(None)
        except Exception as fault:  # noqa: BLE001 - handed on to whoever reads answers
            self._end(fault)
        return None

    def _full(self) -> bool:
        return self._state.pending >= 2 * self._threads or self._state.held_bytes >= HELD_BYTES

    def _admit(self, request: execution_pb2.ExecuteBatchRequest) -> _Taken | None:
        """Register `request` and wait for its place."""
        state, name = self._state, request.request_id
        with self._lock:
            if state.ended:
                return None  # it came while the stream was stopped: not taken, so it does not run
            state.pending += 1
            refusal: ToolwrightError | None = _refusal(name, state.ids)
            if refusal is None:
                state.ids.add(name)
        if refusal is None and not self._share.take(self, self._hurry.is_set):
            with self._lock:
                state.ids.discard(name)
            refusal = SandboxUnavailable(SHUTTING_DOWN)
        return _Taken(request, refusal)

    def _answer(self, taken: _Taken) -> execution_pb2.ExecuteBatchResponse:
        name = taken.request.request_id
        if taken.refusal is not None:
            return self._answering.refuse(name[:MAX_ID_CHARS], taken.refusal)
        cancellation = Cancellation()
        try:
            with self._lock:
                if self._state.left or self._state.killed:
                    cancellation.cancel()
                self._state.running[name] = cancellation
            if cancellation.cancelled:
                return self._answering.refuse(name, CallCancelled("The batch was cancelled; the tool did not run."))
            return self._answering.run(taken.request, cancellation, self._hurry)
        finally:
            # Under the lock: a cancel after the work would strike whoever has the sandbox next.
            with self._lock:
                del self._state.running[name]
                self._news.notify()
            self._share.give_back(self)

    # --- ends -----------------------------------------------------------------------------------

    def _end(self, fault: Exception | None) -> None:
        with self._lock:
            if not self._state.ended:
                self._state.ended, self._state.fault = True, fault
            self._news.notify_all()
            self._room.notify_all()

    def _break(self, fault: Exception) -> None:
        with self._lock:
            self._state.fault = fault
        self.leave()

    def _cancel_all(self) -> None:
        for cancellation in self._state.running.values():
            cancellation.cancel()

    def _add_thread(self) -> bool:
        with self._lock:
            self._state.threads += 1
        try:
            # A daemon: it may be reading when the server's process ends.
            threading.Thread(target=self._work, name="batch", daemon=True).start()
        except RuntimeError:  # those that there are go on alone
            with self._lock:
                self._state.threads -= 1
            return False
        return True


def _refusal(request_id: str, in_flight: set[str]) -> InvalidInput | None:
    try:
        check_request_id(request_id)
    except InvalidInput as fault:
        return fault
    if request_id in in_flight:
        return InvalidInput("request_id", f"{request_id!r} is the id of a call in flight", "an id that has its answer")
    return None
