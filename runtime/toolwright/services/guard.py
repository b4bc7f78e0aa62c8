"""What surrounds every call of ours: faults become status errors, whatever the handler."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc

from toolwright.errors import InvalidInput, SandboxUnavailable
from toolwright.services import status
from toolwright.services.faults import Faults

_OURS: Final = "/toolwright."
_MALFORMED: Final = object()
_HEADER_BYTES: Final = 32
"""What HTTP/2 adds to the name and the value of a header."""
_RUN_NOTHING: Final = frozenset(
    f"/toolwright.v1.{call}"
    for call in (
        "ToolService/GetTool",
        "ToolService/ListTools",
        "ToolService/ListMakings",
        "ToolService/GetMaking",
        "ToolService/CancelMaking",
        "ToolService/FollowMaking",
        "ToolService/SearchTools",
        "ToolService/SetAlias",
        "ToolService/RollbackTool",
        "ToolService/ApproveTool",
        "ToolService/ListToolEvents",
        "ToolService/ExportTool",
        "ToolService/QuarantineTool",
        "ToolService/RetireTool",
        "ToolService/ReportOutcome",
        "SolveService/ListMisses",
        "SolveService/AnswerMiss",
        "LedgerService/GetCosts",
        "AuditService/ListExecutions",
        "AuditService/GetExecution",
        "AuditService/GetImageReport",
        "AuditService/GetCheckpoint",
        "AuditService/VerifyLog",
    )
)
"""Calls that run no code. Whatever is not named here is taken to run some."""

Behaviour = Callable[[Any, grpc.ServicerContext], Any]


class InFlight:
    """Counts calls of ours that are being served.

    Streams that last as long as their client (health, reflection) do not count, else they would hold up
    every shutdown.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    @property
    def count(self) -> int:
        """Calls being served now."""
        return self._count

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one call."""
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1


class FaultInterceptor(grpc.ServerInterceptor):
    """Maps faults of the handlers of `toolwright.*`; other services (health, reflection) are left alone.

    What a fault becomes is for `Faults` to say. A request that is no message is the caller's fault.
    """

    def __init__(self, in_flight: InFlight, faults: Faults, *, max_metadata_bytes: int, refusal: str = "") -> None:
        """Count calls in `in_flight`; answer those that would run code with `refusal`, if there is one.

        Args:
            in_flight: counts the calls.
            faults: says which status a fault becomes.
            max_metadata_bytes: of the headers of a call. gRPC itself holds only such callers to it as agreed to it.
            refusal: see `Endpoint`.
        """
        self._in_flight = in_flight
        self._faults = faults
        self._max_metadata_bytes = max_metadata_bytes
        self._refusal = refusal
        self._end = ""

    def refuse_all(self, reason: str) -> None:
        """Answer every call that comes from now on with UNAVAILABLE and `reason`."""
        self._end = reason

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return the handler of the call with the guard around it."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(_OURS):
            return handler
        if (size := _size(handler_call_details.invocation_metadata)) > self._max_metadata_bytes:
            return self._too_large(size)
        decode = _tolerant(handler.request_deserializer)
        encode = handler.response_serializer
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(self._unary(handler.unary_unary, method), decode, encode)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(self._stream(handler.unary_stream, method), decode, encode)
        if handler.stream_stream:
            each = self._stream(_each_well_formed(handler.stream_stream), method)
            return grpc.stream_stream_rpc_method_handler(each, decode, encode)
        if handler.stream_unary:
            every = self._unary(_each_well_formed(handler.stream_unary), method)
            return grpc.stream_unary_rpc_method_handler(every, decode, encode)
        return handler

    def _too_large(self, size: int) -> grpc.RpcMethodHandler[Any, Any]:
        fault = InvalidInput("metadata", f"has {size} bytes", f"at most {self._max_metadata_bytes} bytes")

        def refuse(_request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 - any method's messages
            status.abort(context, status.to_status(fault))

        # Whatever the method is: a refusal sends no message, and reads none.
        return grpc.stream_stream_rpc_method_handler(refuse)

    def _unary(self, behaviour: Behaviour, method: str) -> Behaviour:
        def guarded(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 - any method's messages
            with self._in_flight.counted():
                try:
                    self._refuse(method)
                    return behaviour(_well_formed(request), context)
                except Exception as fault:  # noqa: BLE001 - the last place where one can be turned into a status
                    status.abort(context, self._faults.status(fault, method))

        return guarded

    def _stream(self, behaviour: Behaviour, method: str) -> Behaviour:
        def guarded(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: ANN401 - as above
            with self._in_flight.counted():
                try:
                    self._refuse(method)
                    yield from behaviour(_well_formed(request), context)
                except Exception as fault:  # noqa: BLE001 - as above
                    status.abort(context, self._faults.status(fault, method))

        return guarded

    def _refuse(self, method: str) -> None:
        if self._end:
            raise SandboxUnavailable(self._end)
        if self._refusal and method not in _RUN_NOTHING:
            raise SandboxUnavailable(self._refusal)


def _size(metadata: Iterable[tuple[str, str | bytes]]) -> int:
    """Return the bytes of a call's headers, counted as HTTP/2 counts them."""
    return sum(len(name) + len(value) + _HEADER_BYTES for name, value in metadata)


def _tolerant(decode: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Return `decode`, but with a mark for what is no message: gRPC itself would answer INTERNAL."""

    def decoded(raw: bytes) -> Any:  # noqa: ANN401 - any method's request
        try:
            return decode(raw) if decode else raw
        except Exception:  # noqa: BLE001 - whatever the parser raises, the bytes are no message
            return _MALFORMED

    return decoded


def _well_formed(request: Any) -> Any:  # noqa: ANN401 - any method's request
    if request is _MALFORMED:
        raise InvalidInput("request", "is no message of this call", "a message of toolwright.v1")
    return request


def _each_well_formed(behaviour: Behaviour) -> Behaviour:
    """Return `behaviour` with each message of its stream of requests checked as it is taken."""

    def checked(requests: Iterator[Any], context: grpc.ServicerContext) -> Any:  # noqa: ANN401 - any method's messages
        return behaviour(map(_well_formed, requests), context)

    return checked
