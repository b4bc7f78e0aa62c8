"""A maker that declines has made an attempt without code: it is told so, and the others count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolwright.errors import ModelRefused
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply

FINISH = "refusal"
"""`Reply.finish_reason` of such a reply."""


@dataclass(frozen=True, slots=True)
class DeclinedIsReply:
    """Adds to any `ChatModel`: a refusal is a reply in the model's own words, not an error."""

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
        except ModelRefused as refusal:
            text = refusal.quote or str(refusal)
            counts = refusal.prompt_tokens, refusal.completion_tokens
            return Reply(text, (), self.base.name, *counts, FINISH, refusal.asked)
