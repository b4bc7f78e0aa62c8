"""What happened to tools."""

from __future__ import annotations

from typing import Final

from toolwright.domain.lifecycle import EventKind, ToolEvent
from toolwright.domain.tool import ToolState
from toolwright.services.convert.enums import TOOL_STATE, EnumTable
from toolwright.services.convert.text import time_from_wire, time_to_wire, wire_text
from toolwright.v1 import tools_pb2, types_pb2

EVENT_KIND: Final = EnumTable(
    {
        EventKind.ADMITTED: tools_pb2.TOOL_EVENT_KIND_ADMITTED,
        EventKind.STATE: tools_pb2.TOOL_EVENT_KIND_STATE,
        EventKind.APPROVED: tools_pb2.TOOL_EVENT_KIND_APPROVED,
        EventKind.VERIFIED: tools_pb2.TOOL_EVENT_KIND_VERIFIED,
        EventKind.ALIAS: tools_pb2.TOOL_EVENT_KIND_ALIAS,
        EventKind.ROLLBACK: tools_pb2.TOOL_EVENT_KIND_ROLLBACK,
    }
)


def event_to_wire(event: ToolEvent) -> tools_pb2.ToolEvent:
    """Return an event as a message."""
    return tools_pb2.ToolEvent(
        event_id=event.event_id,
        create_time=time_to_wire(event.at),
        name=event.name,
        version=event.number,
        digest=event.digest,
        kind=EVENT_KIND.to_wire(event.kind),
        actor=wire_text(event.actor),
        reason=wire_text(event.reason),
        from_state=_state_to_wire(event.from_state),
        to_state=_state_to_wire(event.to_state),
        alias=event.alias,
        from_version=event.from_number or 0,
        share=event.share,
    )


def event_from_wire(message: tools_pb2.ToolEvent) -> ToolEvent:
    """Return an event.

    Raises:
        InvalidInput: its kind or a state is not known.
    """
    return ToolEvent(
        at=time_from_wire(message.create_time),
        name=message.name,
        number=message.version,
        digest=message.digest,
        kind=EVENT_KIND.from_wire(message.kind, "event.kind"),
        actor=message.actor,
        reason=message.reason,
        from_state=_state_from_wire(message.from_state, "event.from_state"),
        to_state=_state_from_wire(message.to_state, "event.to_state"),
        alias=message.alias,
        from_number=message.from_version or None,
        share=message.share,
        event_id=message.event_id,
    )


def _state_to_wire(state: ToolState | None) -> types_pb2.ToolState.ValueType:
    return types_pb2.TOOL_STATE_UNSPECIFIED if state is None else TOOL_STATE.to_wire(state)


def _state_from_wire(state: types_pb2.ToolState.ValueType, field: str) -> ToolState | None:
    return None if state == types_pb2.TOOL_STATE_UNSPECIFIED else TOOL_STATE.from_wire(state, field)
