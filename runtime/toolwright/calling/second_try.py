"""Asking once more when a reply makes no sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolwright.errors import ModelReplyInvalid
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply


@dataclass(frozen=True, slots=True)
class SecondTry:
    """Adds to any `ChatModel`: one more try after a reply that is no chat completion.

    A dead or refusing endpoint is not asked again here: its adapter has done what waiting can do.
    """

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
        except ModelReplyInvalid:
            return self.base.complete(messages, functions=functions, required=required, task=task)
