"""Replies of a certain form: as structured output where the endpoint has it, else as a function call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.errors import ModelRejected
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply
from toolwright.llm.features import Feature
from toolwright.llm.learned import Learned, Place

MAX_SHAPED_BYTES = 1024 * 1024
_RULES = JsonRules(MAX_SHAPED_BYTES)


def shape(name: str, description: str, schema: Mapping[str, Any]) -> FunctionSpec:
    """Return what to give as the one function, so that the reply is JSON that fits `schema`.

    The reply comes back as one call of `name`, whichever way the endpoint was asked; its arguments are to be checked
    as those of any call. A schema that closes its objects and requires all of their fields is kept to exactly.
    """
    return FunctionSpec(name, description, schema, as_text=True)


@dataclass(frozen=True, slots=True)
class ShapedModel:
    """Adds to any `ChatModel`: a form of reply that is refused, or ignored time and again, becomes a call."""

    base: ChatModel
    learned: Learned
    place: Place

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
        if not any(function.as_text for function in functions):
            return self.base.complete(messages, functions=functions, required=required, task=task)
        if self.learned.lacks(self.place, Feature.SHAPE) or len(functions) > 1:
            return self._as_call(messages, functions, task=task)
        try:
            reply = self.base.complete(messages, functions=functions, task=task)
        except ModelRejected as refused:
            if refused.part != Feature.SHAPE:
                raise
            reply = self._as_call(messages, functions, task=task)
            self.learned.learn(self.place, [Feature.SHAPE])
            return reply
        self.learned.heed(self.place, Feature.SHAPE, followed=_is_object(reply))
        return reply

    def _as_call(self, messages: Sequence[Message], functions: Sequence[FunctionSpec], *, task: str) -> Reply:
        callable_ones = [replace(function, as_text=False) for function in functions]
        return self.base.complete(messages, functions=callable_ones, required=True, task=task)


def _is_object(reply: Reply) -> bool:
    try:
        return isinstance(_RULES.parse(reply.calls[0].arguments_json), dict)
    except JsonRefused:
        return False
