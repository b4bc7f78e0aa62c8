"""The second turn: what a model said, and why that would not do. The last *user* message stays the question."""

from __future__ import annotations

import re
from dataclasses import replace

from toolwright.llm.base import FunctionCall, Message, Reply

MAX_ECHO_CHARS = 8_192
MAX_ECHO_CALLS = 8

# Endpoints refuse a whole chat whose history names a function that no function could have.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z", re.ASCII)


def repair_turn(reply: Reply, name: str, *, correction: str, nudge: str) -> list[Message]:
    """Return the messages to append after a reply that could not be used.

    Args:
        reply: what the model said.
        name: the function that it should have called.
        correction: what each of its calls is answered with.
        nudge: what it is told if it made no call.
    """
    if not reply.calls:
        return [Message("assistant", reply.text[:MAX_ECHO_CHARS] or "…"), Message("system", nudge)]
    calls = tuple(_echo(call, number, name) for number, call in enumerate(reply.calls[:MAX_ECHO_CALLS]))
    answers = [Message("tool", correction, call_id=call.id) for call in calls]
    return [Message("assistant", reply.text[:MAX_ECHO_CHARS], calls=calls), *answers]


def _echo(call: FunctionCall, number: int, name: str) -> FunctionCall:
    return replace(
        call,
        id=call.id[:200] or f"call_{number}",
        name=call.name if _NAME.match(call.name) else name,
        arguments_json=call.arguments_json[:MAX_ECHO_CHARS],
    )
