"""Steps of making and of solving."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from toolwright.domain.events import (
    BY_TOOL,
    Answered,
    Called,
    Checked,
    Declined,
    Dispatched,
    Failed,
    Judged,
    Made,
    MakingEvent,
    Missed,
    NotMade,
    Proposed,
    Ran,
    Rejected,
    Resumed,
    SolveEvent,
    Started,
)
from toolwright.domain.record import Stage
from toolwright.errors import InvalidInput
from toolwright.services.convert.enums import status_from_wire, status_to_wire
from toolwright.services.convert.execution import execution_from_wire, execution_to_wire
from toolwright.services.convert.gates import gate_name_from_wire
from toolwright.services.convert.text import wire_text
from toolwright.services.convert.tools import token_use_from_wire, token_use_to_wire, tool_from_wire, tool_to_wire
from toolwright.v1 import solve_pb2, tools_pb2


def making_to_wire(event: MakingEvent) -> tools_pb2.MakeToolResponse:
    """Return a step of making as a message."""
    match event:
        case Started():
            return tools_pb2.MakeToolResponse(started=tools_pb2.Started(making_id=event.making_id, shared=event.shared))
        case Resumed():
            return tools_pb2.MakeToolResponse(resumed=tools_pb2.Resumed(attempts=event.attempts, lost=event.lost))
        case Proposed():
            return tools_pb2.MakeToolResponse(
                proposed=tools_pb2.Proposed(attempt=event.attempt, code=wire_text(event.code))
            )
        case Rejected():
            return tools_pb2.MakeToolResponse(
                rejected=tools_pb2.Rejected(
                    attempt=event.attempt, stage=event.stage.value, feedback=wire_text(event.feedback)
                )
            )
        case Checked():
            return tools_pb2.MakeToolResponse(
                checked=tools_pb2.Checked(
                    attempt=event.attempt,
                    example_id=wire_text(event.example_id),
                    held_out=event.held_out,
                    passed=event.passed,
                    status=status_to_wire(event.status),
                )
            )
        case Judged():
            return tools_pb2.MakeToolResponse(
                judged=tools_pb2.Judged(
                    attempt=event.attempt,
                    gate=event.gate.value,
                    passed=event.passed,
                    summary=wire_text(event.summary),
                )
            )
        case Made():
            return tools_pb2.MakeToolResponse(
                made=tools_pb2.Made(
                    tool=tool_to_wire(event.tool),
                    attempts=event.attempts,
                    token_use=map(token_use_to_wire, event.token_use),
                    merged=event.merged,
                )
            )
        case NotMade():
            return tools_pb2.MakeToolResponse(
                not_made=tools_pb2.NotMade(
                    reason=wire_text(event.reason),
                    attempts=event.attempts,
                    token_use=map(token_use_to_wire, event.token_use),
                    ended_by=event.ended_by,
                )
            )


def making_from_wire(message: tools_pb2.MakeToolResponse) -> MakingEvent:
    """Return a step of making.

    Raises:
        InvalidInput: the step, or a value in it, is not known.
    """
    kind = message.WhichOneof("event")
    if kind is None:
        raise InvalidInput("event", "is not known", ", ".join(_MAKING))
    step: MakingEvent = _MAKING[kind](getattr(message, kind))
    return step


def solve_to_wire(event: SolveEvent) -> solve_pb2.SolveResponse:
    """Return a step of solving as a message."""
    match event:
        case Dispatched():
            return solve_pb2.SolveResponse(
                dispatched=solve_pb2.Dispatched(
                    tool=event.tool,
                    task=event.task,
                    reason=wire_text(event.reason),
                    confidence=event.confidence,
                    named=event.named,
                )
            )
        case Missed():
            return solve_pb2.SolveResponse(
                missed=solve_pb2.Missed(group=event.group, count=event.count, needed=event.needed, miss=event.miss)
            )
        case Called():
            return solve_pb2.SolveResponse(
                called=solve_pb2.Called(
                    tool=event.tool,
                    arguments_json=wire_text(event.arguments_json),
                    repair=event.repair,
                    refusal=wire_text(event.refusal),
                )
            )
        case Ran():
            return solve_pb2.SolveResponse(ran=execution_to_wire(event.execution))
        case Answered() | Declined() | Failed():
            return _end_to_wire(event)
        case _:
            return solve_pb2.SolveResponse(making=making_to_wire(event))


def solve_from_wire(message: solve_pb2.SolveResponse) -> SolveEvent:
    """Return a step of solving.

    Raises:
        InvalidInput: the step, or a value in it, is not known.
    """
    kind = message.WhichOneof("event")
    if kind is None:
        raise InvalidInput("event", "is not known", ", ".join(_SOLVING))
    step: SolveEvent = _SOLVING[kind](getattr(message, kind))
    return step


def _end_to_wire(event: Answered | Declined | Failed) -> solve_pb2.SolveResponse:
    token_use = map(token_use_to_wire, event.token_use)
    match event:
        case Answered():
            return solve_pb2.SolveResponse(
                answered=solve_pb2.Answered(
                    answer=wire_text(event.answer),
                    result_json=wire_text(event.result_json),
                    tool=event.tool,
                    execution_id=event.execution_id,
                    token_use=token_use,
                    by=wire_text(event.by),
                )
            )
        case Declined():
            return solve_pb2.SolveResponse(
                declined=solve_pb2.Declined(reason=wire_text(event.reason), token_use=token_use)
            )
        case Failed():
            return solve_pb2.SolveResponse(
                failed=solve_pb2.Failed(
                    reason=wire_text(event.reason),
                    tool=event.tool,
                    status=status_to_wire(event.status),
                    token_use=token_use,
                )
            )


def _rejected(message: tools_pb2.Rejected) -> Rejected:
    try:
        stage = Stage(message.stage)
    except ValueError:
        raise InvalidInput("rejected.stage", f"{message.stage[:80]!r} is not known", ", ".join(Stage)) from None
    return Rejected(message.attempt, stage, message.feedback)


def _checked(message: tools_pb2.Checked) -> Checked:
    return Checked(
        message.attempt, message.example_id, message.held_out, message.passed, status_from_wire(message.status)
    )


def _judged(message: tools_pb2.Judged) -> Judged:
    return Judged(message.attempt, gate_name_from_wire(message.gate), message.passed, message.summary)


def _made(message: tools_pb2.Made) -> Made:
    token_use = tuple(map(token_use_from_wire, message.token_use))
    return Made(tool_from_wire(message.tool), message.attempts, token_use, message.merged)


def _not_made(message: tools_pb2.NotMade) -> NotMade:
    token_use = tuple(map(token_use_from_wire, message.token_use))
    return NotMade(message.reason, message.attempts, token_use, message.ended_by)


def _answered(message: solve_pb2.Answered) -> Answered:
    return Answered(
        message.answer,
        message.result_json,
        message.tool,
        message.execution_id,
        tuple(map(token_use_from_wire, message.token_use)),
        message.by or BY_TOOL,
    )


def _declined(message: solve_pb2.Declined) -> Declined:
    return Declined(message.reason, tuple(map(token_use_from_wire, message.token_use)))


def _failed(message: solve_pb2.Failed) -> Failed:
    return Failed(
        message.reason,
        message.tool,
        status_from_wire(message.status),
        tuple(map(token_use_from_wire, message.token_use)),
    )


_MAKING: Final[dict[str, Callable[[Any], MakingEvent]]] = {
    "proposed": lambda message: Proposed(message.attempt, message.code),
    "rejected": _rejected,
    "checked": _checked,
    "judged": _judged,
    "made": _made,
    "not_made": _not_made,
    "started": lambda message: Started(message.making_id, message.shared),
    "resumed": lambda message: Resumed(message.attempts, message.lost),
}
_SOLVING: Final[dict[str, Callable[[Any], SolveEvent]]] = {
    "dispatched": lambda message: Dispatched(
        message.tool, message.task, message.reason, message.confidence, message.named
    ),
    "missed": lambda message: Missed(message.group, message.count, message.needed, message.miss),
    "making": making_from_wire,
    "called": lambda message: Called(message.tool, message.arguments_json, message.repair, message.refusal),
    "ran": lambda message: Ran(execution_from_wire(message)),
    "answered": _answered,
    "declined": _declined,
    "failed": _failed,
}
