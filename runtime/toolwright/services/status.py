"""Our faults ⇄ gRPC status errors. The only module that knows both worlds.

A fault becomes a status code with `google.rpc` details: ErrorInfo (reason, facts for programs), BadRequest (the
field) and RetryInfo (when to come back). A client gets the same class back from the same details.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import grpc
from google.protobuf.message import DecodeError
from google.rpc import (  # type: ignore[import-untyped]  # it ships stubs, but no py.typed marker
    error_details_pb2,
    status_pb2,
)

from toolwright import errors
from toolwright.domain.shown import shown
from toolwright.errors import InvalidInput, NotFound, Overloaded, ToolwrightError

DOMAIN: Final = "toolwright"
DETAILS_KEY: Final = "grpc-status-details-bin"

STATUS: Final[Mapping[type[ToolwrightError], grpc.StatusCode]] = {
    errors.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.NotReady: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Unsupported: grpc.StatusCode.UNIMPLEMENTED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.CallCancelled: grpc.StatusCode.CANCELLED,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.EngineUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.SandboxUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.ImageMissing: grpc.StatusCode.FAILED_PRECONDITION,
    errors.StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.StoreCorrupt: grpc.StatusCode.DATA_LOSS,
    errors.RecordLost: grpc.StatusCode.ABORTED,
    errors.ServerUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.ConnectionLost: grpc.StatusCode.UNAVAILABLE,
    errors.ModelUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.ModelRejected: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ModelReplyInvalid: grpc.StatusCode.UNAVAILABLE,
    errors.ModelContextExceeded: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ModelRefused: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ModelExchangeMissing: grpc.StatusCode.FAILED_PRECONDITION,
}

# The message goes out twice, once percent-encoded, and all trailers share the 8 KiB that clients take.
_MAX_ENCODED_MESSAGE = 1800
_MAX_FACT_CHARS = 160
_RETRY_AFTER_S: Final[Mapping[type[ToolwrightError], float]] = {errors.SandboxUnavailable: 1.0}

_CODES: Final[Mapping[int, grpc.StatusCode]] = {code.value[0]: code for code in grpc.StatusCode}
_BY_REASON: Final = {fault.reason: fault for fault in STATUS}
# What gRPC itself, or a server that is not ours, answers without details.
_BY_CODE: Final[Mapping[grpc.StatusCode, type[ToolwrightError]]] = {
    grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: errors.NotReady,
    grpc.StatusCode.UNIMPLEMENTED: errors.Unsupported,
    grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
    grpc.StatusCode.CANCELLED: errors.CallCancelled,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.UNAVAILABLE: errors.ServerUnavailable,
    grpc.StatusCode.DATA_LOSS: errors.StoreCorrupt,
}


def code_of(fault: ToolwrightError) -> grpc.StatusCode:
    """Return the status code of `fault`; INTERNAL if its class has no row."""
    return next((STATUS[kind] for kind in type(fault).__mro__ if kind in STATUS), grpc.StatusCode.INTERNAL)


def to_status(fault: ToolwrightError) -> status_pb2.Status:
    """Return `fault` as a status with details.

    What callers sent may be quoted in it, and many programs print it as it is: what could act on a terminal is escaped.
    """
    status = status_pb2.Status(code=code_of(fault).value[0], message=_short(str(fault)))
    info = error_details_pb2.ErrorInfo(reason=fault.reason, domain=DOMAIN)
    for name, fact in fault.metadata.items():
        info.metadata[name] = shown(fact)[:_MAX_FACT_CHARS]
    status.details.add().Pack(info)
    if isinstance(fault, InvalidInput):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=shown(fault.field)[:_MAX_FACT_CHARS], description=_short(fault.problem, _MAX_ENCODED_MESSAGE // 2)
        )
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    retry_after_s = fault.retry_after_s if isinstance(fault, Overloaded) else _RETRY_AFTER_S.get(type(fault))
    if retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(retry_after_s * 1000))
        status.details.add().Pack(retry)
    return status


def veiled(fault: ToolwrightError, log_id: str) -> status_pb2.Status:
    """Return `fault` without its own words, which may hold paths, addresses and ids of the server's machine.

    The caller gets what the class promises, and the id under which the server's log has the rest.
    """
    promise = " ".join((type(fault).__doc__ or "").partition("\n\n")[0].split())
    plain = type(fault)(f"{promise} The server's log has the details under id {log_id}.")
    return to_status(plain)


def code_from_wire(number: int) -> grpc.StatusCode:
    """Return the status code of that number; UNKNOWN if there is none."""
    return _CODES.get(number, grpc.StatusCode.UNKNOWN)


def internal_status(log_id: str) -> status_pb2.Status:
    """Return the status of an unexpected fault: a fixed text and the id under which the server logged it."""
    code: int = grpc.StatusCode.INTERNAL.value[0]
    message = f"the server failed in a way it should not; its log has the details under id {log_id}"
    return status_pb2.Status(code=code, message=message)


def abort(context: grpc.ServicerContext, status: status_pb2.Status) -> None:
    """End the call with `status`. Raises, as gRPC wants it."""
    context.set_trailing_metadata(((DETAILS_KEY, status.SerializeToString()),))
    context.abort(code_from_wire(status.code), status.message)


def from_status(fault: grpc.RpcError) -> ToolwrightError:
    """Return the fault that a server or gRPC itself reported to a client."""
    return from_details(_code(fault), _text(fault), _details(fault))


def from_details(code: grpc.StatusCode, text: str, details: status_pb2.Status) -> ToolwrightError:
    """Return the fault that a status with `details` stands for."""
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in details.details:
        for kind in (info, bad, retry):
            if detail.Is(kind.DESCRIPTOR):
                detail.Unpack(kind)
    kind_of_fault = _BY_REASON.get(info.reason) if info.domain == DOMAIN else None
    if kind_of_fault is None:
        return _without_details(code, text)
    problem = bad.field_violations[0].description if bad.field_violations else text
    build = _REBUILD.get(kind_of_fault)
    rebuilt = (
        build(text, problem, info.metadata, retry.retry_delay.ToTimedelta().total_seconds())
        if build
        else kind_of_fault(text)
    )
    rebuilt.args = (text,)  # the text is the server's, whatever the class would make of its parts
    return rebuilt


def has_details(fault: grpc.RpcError) -> bool:
    """Whether a server of ours made the status, not gRPC on the way to it."""
    return bool(_details(fault).details)


def _without_details(code: grpc.StatusCode, text: str) -> ToolwrightError:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        if "larger than max" in text:  # the only way by which gRPC says that a message is too large
            return InvalidInput("request", text, "the server's grpc.max_message_bytes")
        return Overloaded(text, 1.0)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return InvalidInput("request", text)
    if code is grpc.StatusCode.NOT_FOUND:
        return NotFound("thing", text)
    if code in _BY_CODE:
        return _BY_CODE[code](text)
    return errors.ServiceFault(text or f"the server answered {code.name}")


def _invalid(_text: str, problem: str, facts: Mapping[str, str], _retry_s: float) -> ToolwrightError:
    return InvalidInput(facts.get("field", ""), problem, facts.get("limit", ""))


def _missing(_text: str, _problem: str, facts: Mapping[str, str], _retry_s: float) -> ToolwrightError:
    return NotFound(facts.get("kind", ""), facts.get("name", ""))


def _overloaded(text: str, _problem: str, _facts: Mapping[str, str], retry_s: float) -> ToolwrightError:
    return Overloaded(text, retry_s)


_REBUILD: Final[Mapping[type[ToolwrightError], Callable[[str, str, Mapping[str, str], float], ToolwrightError]]] = {
    errors.InvalidInput: _invalid,
    errors.NotFound: _missing,
    errors.Overloaded: _overloaded,
}


def _code(fault: grpc.RpcError) -> grpc.StatusCode:
    code = fault.code() if hasattr(fault, "code") else None
    return code if isinstance(code, grpc.StatusCode) else grpc.StatusCode.UNKNOWN


def _text(fault: grpc.RpcError) -> str:
    return (fault.details() if hasattr(fault, "details") else None) or ""


def _details(fault: grpc.RpcError) -> status_pb2.Status:
    """Read the details that the trailers carry. A broken or foreign one is as none."""
    trailers: Any = fault.trailing_metadata() if hasattr(fault, "trailing_metadata") else None
    for key, value in trailers or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()


def _short(text: str, limit: int = _MAX_ENCODED_MESSAGE) -> str:
    """Return `text`, cut so that it takes at most `limit` bytes percent-encoded."""
    text = shown(text[:limit])[:limit]
    while len(quote(text, safe=" ")) > limit:
        text = text[: min(len(text) - 1, len(text) * limit // len(quote(text, safe=" ")))]
    return text
