"""Calls and how they ended."""

from __future__ import annotations

import math

from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.outcome import Execution, Failure, Outcome, Output, Provenance, Timing, Usage
from toolwright.domain.source import ToolSource
from toolwright.errors import InvalidInput
from toolwright.services.convert.enums import OPERATION, STATUS, isolation_from_wire, isolation_to_wire
from toolwright.services.convert.text import wire_text
from toolwright.v1 import execution_pb2, types_pb2

MAX_REFERENCE_CHARS = 200
MAX_IDEMPOTENCY_KEY_CHARS = 128
_MAX_INT64 = 2**63 - 1


def source_to_wire(source: ToolSource) -> types_pb2.ToolSource:
    """Return `source` as a message, byte for byte."""
    return types_pb2.ToolSource(code=source.code, function=source.function)


def source_from_wire(message: types_pb2.ToolSource) -> ToolSource:
    """Return the source.

    Raises:
        InvalidInput: `source.code` or `source.function` is refused.
    """
    return ToolSource(message.code, message.function)


def reference_from_wire(reference: str, field: str = "tool") -> str:
    """Return a tool reference of sane length; its form is the registry's to judge.

    Raises:
        InvalidInput: it is empty or too long.
    """
    if not reference:
        raise InvalidInput(field, "is empty", "name, name@version or sha256:…")
    if len(reference) > MAX_REFERENCE_CHARS:
        raise InvalidInput(field, f"has {len(reference)} characters", f"at most {MAX_REFERENCE_CHARS}")
    return reference


def request_to_wire(request: ExecutionRequest) -> execution_pb2.ExecuteToolRequest:
    """Return a call as a message. Tenant and purpose are the server's to say.

    Raises:
        InvalidInput: a text is no valid Unicode, or a limit is not above 0.
    """
    message = execution_pb2.ExecuteToolRequest(
        arguments_json=_exact(request.arguments_json, "arguments_json"),
        limits=limits_request_to_wire(request.limits),
        idempotency_key=_exact(request.idempotency_key, "idempotency_key"),
        operation=OPERATION.to_wire(request.operation),
        isolation=isolation_to_wire(request.isolation),
        bypass_cache=request.bypass_cache,
    )
    if isinstance(request.target, ToolSource):
        message.source.CopyFrom(source_to_wire(request.target))
    else:
        message.tool = _exact(request.target, "tool")
    return message


def request_from_wire(message: execution_pb2.ExecuteToolRequest, *, tenant: str) -> ExecutionRequest:
    """Return a call as asked for by `tenant`.

    Raises:
        InvalidInput: not exactly one of `tool` and `source` is set, or a field is off.
    """
    if bool(message.tool) == message.HasField("source"):
        what = "both tool and source are set" if message.tool else "neither tool nor source is set"
        raise InvalidInput("tool", what, "exactly one of them")
    if len(message.idempotency_key) > MAX_IDEMPOTENCY_KEY_CHARS:
        raise InvalidInput(
            "idempotency_key", f"has {len(message.idempotency_key)} characters", f"at most {MAX_IDEMPOTENCY_KEY_CHARS}"
        )
    operation = Operation.CALL
    if message.operation != execution_pb2.OPERATION_UNSPECIFIED:
        operation = OPERATION.from_wire(message.operation, "operation")
    return ExecutionRequest(
        target=reference_from_wire(message.tool) if message.tool else source_from_wire(message.source),
        arguments_json=message.arguments_json or "{}",
        limits=limits_request_from_wire(message.limits),
        operation=operation,
        tenant=tenant,
        idempotency_key=message.idempotency_key,
        isolation=isolation_from_wire(message.isolation),
        bypass_cache=message.bypass_cache,
    )


def limits_request_to_wire(limits: LimitsRequest) -> types_pb2.Limits:
    """Return the asked limits as a message.

    Raises:
        InvalidInput: a limit is not above 0: on the wire 0 would mean "as the server has it".
    """
    message = types_pb2.Limits()
    for name in ("wall_time_s", "memory_bytes", "output_bytes", "result_bytes"):
        if (value := getattr(limits, name)) is not None:
            _check_limit(f"limits.{name}", value)
            setattr(message, name, value)
    return message


def limits_request_from_wire(message: types_pb2.Limits) -> LimitsRequest:
    """Return the asked limits.

    Raises:
        InvalidInput: one is negative or not finite, or may not be asked for.
    """
    for name in ("processes", "file_bytes", "load_time_s"):
        if getattr(message, name):
            raise InvalidInput(f"limits.{name}", "cannot be asked for", "0: the server's policy sets it")
    asked: dict[str, float | int | None] = {}
    for name in ("wall_time_s", "memory_bytes", "output_bytes", "result_bytes"):
        value = getattr(message, name)
        if value:  # NaN is true
            _check_limit(f"limits.{name}", value)
        asked[name] = value or None
    return LimitsRequest(**asked)  # type: ignore[arg-type]  # the four names above, with their own types


def limits_to_wire(limits: Limits) -> types_pb2.Limits:
    """Return the limits in force as a message."""
    return types_pb2.Limits(
        wall_time_s=limits.wall_time_s,
        memory_bytes=limits.memory_bytes,
        output_bytes=limits.output_bytes,
        result_bytes=limits.result_bytes,
        processes=limits.processes,
        file_bytes=limits.file_bytes,
        load_time_s=limits.load_time_s,
    )


def limits_from_wire(message: types_pb2.Limits) -> Limits:
    """Return the limits in force."""
    return Limits(
        wall_time_s=message.wall_time_s,
        memory_bytes=message.memory_bytes,
        processes=message.processes,
        file_bytes=message.file_bytes,
        load_time_s=message.load_time_s,
        output_bytes=message.output_bytes,
        result_bytes=message.result_bytes,
    )


def execution_to_wire(execution: Execution) -> execution_pb2.ExecuteToolResponse:
    """Return how a call ended, as a message."""
    outcome, usage, timing = execution.outcome, execution.outcome.usage, execution.timing
    message = execution_pb2.ExecuteToolResponse(
        execution_id=execution.execution_id,
        status=STATUS.to_wire(outcome.status),
        stdout=outcome.stdout.kept,
        stderr=outcome.stderr.kept,
        stdout_bytes=outcome.stdout.total_bytes,
        stderr_bytes=outcome.stderr.total_bytes,
        stdout_truncated=outcome.stdout.truncated,
        stderr_truncated=outcome.stderr.truncated,
        usage=types_pb2.Usage(wall_ms=usage.wall_ms, cpu_ms=usage.cpu_ms, peak_memory_bytes=usage.peak_memory_bytes),
        limits=limits_to_wire(execution.limits),
        timing=types_pb2.Timing(
            queue_ms=timing.queue_ms,
            acquire_ms=timing.acquire_ms,
            run_ms=timing.run_ms,
            collect_ms=timing.collect_ms,
        ),
        provenance=_provenance_to_wire(execution.provenance),
        from_cache=execution.from_cache,
    )
    if outcome.failure is None:
        message.result_json = outcome.result_json or ""
    else:
        message.error.type = wire_text(outcome.failure.type)
        message.error.message = wire_text(outcome.failure.message)
        message.error.traceback = wire_text(outcome.failure.traceback)
    return message


def execution_from_wire(message: execution_pb2.ExecuteToolResponse) -> Execution:
    """Return how a call ended.

    Raises:
        InvalidInput: status and outcome do not fit together, or are not known.
    """
    status = STATUS.from_wire(message.status, "status")
    kind = message.WhichOneof("outcome")
    failure = None
    if kind == "error":
        failure = Failure(message.error.type, message.error.message, message.error.traceback)
    try:
        outcome = Outcome(
            status=status,
            result_json=message.result_json if kind == "result_json" else None,
            failure=failure,
            stdout=Output(message.stdout, message.stdout_bytes),
            stderr=Output(message.stderr, message.stderr_bytes),
            usage=Usage(message.usage.wall_ms, message.usage.cpu_ms, message.usage.peak_memory_bytes),
        )
    except ValueError:
        raise InvalidInput("outcome", f"is {kind} with status {status}", "a result with SUCCESS only") from None
    timing = message.timing
    return Execution(
        execution_id=message.execution_id,
        outcome=outcome,
        limits=limits_from_wire(message.limits),
        timing=Timing(timing.queue_ms, timing.acquire_ms, timing.run_ms, timing.collect_ms),
        provenance=_provenance_from_wire(message.provenance),
    )


def _provenance_to_wire(provenance: Provenance) -> types_pb2.Provenance:
    return types_pb2.Provenance(
        tool_digest=provenance.tool_digest,
        image_digest=provenance.image_digest,
        runtime=provenance.runtime,
        container_id=provenance.container_id,
        verification_id=provenance.verification_id,
        isolation=isolation_to_wire(provenance.isolation),
        computed_by=provenance.computed_by,
    )


def _provenance_from_wire(message: types_pb2.Provenance) -> Provenance:
    return Provenance(
        tool_digest=message.tool_digest,
        image_digest=message.image_digest,
        runtime=message.runtime,
        container_id=message.container_id,
        verification_id=message.verification_id,
        isolation=isolation_from_wire(message.isolation, "provenance.isolation"),
        computed_by=message.computed_by,
    )


def _check_limit(field: str, value: float) -> None:
    if not (math.isfinite(value) and 0 < value <= _MAX_INT64):
        raise InvalidInput(field, f"{value} is outside the allowed range", "above 0, at most the server's ceiling")


def _exact(text: str, field: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(field, "holds a lone surrogate", "valid Unicode") from None
    return text
