"""Going on where a maker's chat has grown longer than its model can take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolwright.errors import ModelContextExceeded
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply

_OPENING = 2
"""Messages before the first attempt: who it is, and the task."""
_ATTEMPT = 2
"""Messages of a failed attempt: what the model said, and why that would not do."""


@dataclass(frozen=True, slots=True)
class ShorterChat:
    """Adds to any `ChatModel`: a chat that is too long is sent once more, without its older failed attempts."""

    base: ChatModel

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
        try:
            return self.base.complete(messages, functions=functions, required=required, task=task)
        except ModelContextExceeded:
            shorter = without_older_attempts(messages)
            if len(shorter) == len(messages):
                raise
        return self.base.complete(shorter, functions=functions, required=required, task=task)


def without_older_attempts(messages: Sequence[Message]) -> list[Message]:
    """Return the opening and the last failed attempt; the opening alone if there was but one."""
    opening, attempts = list(messages[:_OPENING]), list(messages[_OPENING:])
    return opening + (attempts[-_ATTEMPT:] if len(attempts) > _ATTEMPT else [])
