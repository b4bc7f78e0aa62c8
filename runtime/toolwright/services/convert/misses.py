"""Questions that no tool fits, and their groups."""

from __future__ import annotations

from toolwright.domain.miss import GroupState, Miss, MissGroup
from toolwright.errors import InvalidInput
from toolwright.services.convert.text import time_from_wire, time_to_wire, wire_text
from toolwright.v1 import solve_pb2


def miss_to_wire(miss: Miss) -> solve_pb2.Miss:
    """Return a question as a message."""
    return solve_pb2.Miss(
        id=miss.miss_id,
        group=miss.group_id,
        question=wire_text(miss.question),
        count=miss.count,
        first_time=time_to_wire(miss.first_at),
        last_time=time_to_wire(miss.last_at),
        answer=wire_text(miss.answer),
        answered_by=wire_text(miss.answered_by),
        answer_time=time_to_wire(miss.answered_at) if miss.answer else None,
    )


def miss_from_wire(message: solve_pb2.Miss) -> Miss:
    """Return a question. Whose it is clients are not told."""
    return Miss(
        message.id,
        "",
        message.group,
        message.question,
        message.count,
        time_from_wire(message.first_time),
        time_from_wire(message.last_time),
        message.answer,
        message.answered_by,
        time_from_wire(message.answer_time),
    )


def group_to_wire(group: MissGroup, needed: int) -> solve_pb2.MissGroup:
    """Return a group as a message; `needed` answers make a tool."""
    return solve_pb2.MissGroup(
        id=group.group_id,
        state=group.state.value,
        name=group.name,
        description=wire_text(group.description),
        create_time=time_to_wire(group.created_at),
        misses=group.misses,
        asked=group.asked,
        answered=group.answered,
        attempts=group.attempts,
        failure=wire_text(group.failure),
        not_before_time=time_to_wire(group.not_before) if group.not_before else None,
        tool=group.tool,
        cost_usd=group.cost_usd,
        needed=needed,
    )


def group_from_wire(message: solve_pb2.MissGroup) -> MissGroup:
    """Return a group.

    Raises:
        InvalidInput: the state is not known.
    """
    try:
        state = GroupState(message.state)
    except ValueError:
        raise InvalidInput("group.state", f"{message.state[:80]!r} is not known", ", ".join(GroupState)) from None
    return MissGroup(
        message.id,
        "",
        state,
        message.name,
        message.description,
        time_from_wire(message.create_time),
        message.misses,
        message.asked,
        message.answered,
        message.attempts,
        message.failure,
        time_from_wire(message.not_before_time),
        message.tool,
        message.cost_usd,
    )
