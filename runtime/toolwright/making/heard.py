"""What the light model asked of a candidate: how often it needed a repair turn, and with which arguments it called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply

MAX_HEARD = 64
"""Calls that are noted of one candidate."""


@dataclass(slots=True)
class HeardModel:
    """Adds to any `ChatModel`: notes the calls it makes. For one candidate, so for one thread."""

    base: ChatModel
    repairs: int = 0
    """Exchanges that followed a failed one."""
    arguments: list[str] = field(default_factory=list)
    """JSON texts of its calls' arguments, each once, in order."""

    @property
    def name(self) -> str:
        """Model name as the endpoint knows it."""
        return self.base.name

    def complete(
        self,
        messages: Sequence[Message],
        *,
        functions: Sequence[FunctionSpec] = (),
        required: bool = False,
        task: str = "",
    ) -> Reply:
        """Send `messages` and return the reply; see `ChatModel.complete`."""
        self.repairs += any(message.role == "assistant" for message in messages)
        reply = self.base.complete(messages, functions=functions, required=required, task=task)
        for call in reply.calls:
            if call.arguments_json not in self.arguments and len(self.arguments) < MAX_HEARD:
                self.arguments.append(call.arguments_json)
        return reply
