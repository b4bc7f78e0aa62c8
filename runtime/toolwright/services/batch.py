"""ExecuteBatch: the streams that run, a bounded number, and how each of their calls is answered."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import grpc

from toolwright.errors import DeadlineExceeded, Overloaded, SandboxUnavailable
from toolwright.sandbox.base import Cancellation
from toolwright.services.batch_stream import SHUTTING_DOWN, BatchStream
from toolwright.services.calls import CallScope, scope_of
from toolwright.services.convert.batch import batch_error_to_wire
from toolwright.services.fair_share import FairShare
from toolwright.services.faults import Faults
from toolwright.v1 import execution_pb2

Run = Callable[[execution_pb2.ExecuteToolRequest, CallScope], execution_pb2.ExecuteToolResponse]
"""Runs one call."""

_METHOD: Final = "/toolwright.v1.ExecutionService/ExecuteBatch"
_RETRY_AFTER_S: Final = 5.0
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 5.0
_JITTER: Final = 0.5


@dataclass(frozen=True, slots=True)
class BatchBounds:
    """How much batches may take."""

    max_streams: int = 8
    """Batches at one time."""
    in_flight: int = 8
    """Calls of all of them that run, or wait for a container, at one time."""


class Batches:
    """The batches that are running."""

    def __init__(self, run: Run, faults: Faults, bounds: BatchBounds) -> None:
        """Run calls with `run`; what it raises is told as `faults` says."""
        self._run = run
        self._faults = faults
        self._bounds = bounds
        self._share = FairShare(bounds.in_flight)
        self._lock = threading.Lock()
        self._streams: set[BatchStream] = set()
        self._stopped = False

    @property
    def running(self) -> int:
        """How many are running."""
        return len(self._streams)

    def serve(
        self, requests: Iterator[execution_pb2.ExecuteBatchRequest], context: grpc.ServicerContext
    ) -> Iterator[execution_pb2.ExecuteBatchResponse]:
        """Answer the calls of one stream.

        Raises:
            Overloaded: too many run already.
            InvalidInput, SandboxUnavailable: see `BatchStream.answers`.
            DeadlineExceeded, CallCancelled: nobody waits any more.
        """
        with scope_of(context) as scope:
            stream = BatchStream(
                requests, _Answers(self._run, self._faults, scope), self._share, in_flight=self._bounds.in_flight
            )
            with self._listed(stream):
                scope.cancellation.on_cancel(stream.leave)
                yield from stream.answers()

    def stop(self) -> None:
        """Let each batch end once what it has taken is answered; refuse new ones."""
        with self._lock:
            self._stopped = True
            streams = list(self._streams)
        for stream in streams:
            stream.stop(SandboxUnavailable(SHUTTING_DOWN))

    def kill(self) -> None:
        """Kill the calls of all batches; each is answered all the same."""
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.kill()

    @contextmanager
    def _listed(self, stream: BatchStream) -> Iterator[None]:
        with self._lock:
            if self._stopped:
                raise SandboxUnavailable(SHUTTING_DOWN)
            if len(self._streams) >= self._bounds.max_streams:
                raise Overloaded(
                    f"{self._bounds.max_streams} batches run already; nothing of this one ran", _RETRY_AFTER_S
                )
            self._streams.add(stream)
        try:
            yield
        finally:
            with self._lock:
                self._streams.discard(stream)


class _Answers:
    """Implements `batch_stream.Answering` for the calls of one stream."""

    def __init__(self, run: Run, faults: Faults, scope: CallScope) -> None:
        self._run, self._faults = run, faults
        self._deadline = None if scope.deadline_s is None else time.monotonic() + scope.deadline_s

    def run(
        self, request: execution_pb2.ExecuteBatchRequest, cancellation: Cancellation, hurry: threading.Event
    ) -> execution_pb2.ExecuteBatchResponse:
        """Run a call; see `Answering`."""
        try:
            response = self._patiently(request.request, cancellation, hurry)
        except Exception as fault:  # noqa: BLE001 - it is this call's answer, whatever it is; the others go on
            return self.refuse(request.request_id, fault)
        return execution_pb2.ExecuteBatchResponse(request_id=request.request_id, response=response)

    def refuse(self, request_id: str, fault: Exception) -> execution_pb2.ExecuteBatchResponse:
        """Answer with `fault`; see `Answering`."""
        error = batch_error_to_wire(self._faults.status(fault, _METHOD))
        return execution_pb2.ExecuteBatchResponse(request_id=request_id, error=error)

    def _patiently(
        self, request: execution_pb2.ExecuteToolRequest, cancellation: Cancellation, hurry: threading.Event
    ) -> execution_pb2.ExecuteToolResponse:
        """Run a call; where there was no place for it, and so it did not run, again after a pause."""
        while True:
            try:
                return self._run(request, CallScope(self._left_s(), cancellation))
            except Overloaded as fault:
                pause_s = min(max(fault.retry_after_s, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
            pause_s *= 1 + _JITTER * random.random()  # noqa: S311 - only so that not all come back at once
            left_s = self._left_s()
            if hurry.wait(pause_s if left_s is None else min(pause_s, left_s)):
                raise SandboxUnavailable(SHUTTING_DOWN)

    def _left_s(self) -> float | None:
        if self._deadline is None:
            return None
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded("The deadline of the batch passed; the tool did not run.")
        return left_s
