"""A `ChatModel` over an `Exchange`: messages and functions as a request's body, and the reply back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from toolwright.errors import InvalidInput
from toolwright.llm.base import FunctionCall, FunctionSpec, Message, Reply
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.exchange import Exchange
from toolwright.llm.openai_faults import explain
from toolwright.llm.reply import NoReply, read_reply
from toolwright.llm.strict_schema import allows_strict

MAX_FUNCTION_DESCRIPTION_CHARS = 1024
"""Longer ones are refused with 400 by OpenAI and by others that follow it."""


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What is asked of a model beside the chat. None: left to the endpoint, and left out of requests."""

    temperature: float | None = None
    """Reasoning models refuse it."""
    max_completion_tokens: int | None = None
    """Most tokens of a reply, with what a reasoning model thinks."""
    reasoning_effort: str | None = None
    """How much a reasoning model thinks: `low`, `medium`, `high`, …, as the endpoint knows it."""

    def fields(self) -> dict[str, Any]:
        """Return the fields of a request."""
        values = {
            "temperature": self.temperature,
            "max_completion_tokens": self.max_completion_tokens,
            "reasoning_effort": self.reasoning_effort,
        }
        return {name: value for name, value in values.items() if value is not None}


class ChatCompletions:
    """One model of an endpoint. Safe to use from many threads, as the exchange is."""

    def __init__(self, endpoint: Endpoint, exchange: Exchange, name: str, options: ChatOptions | None = None) -> None:
        """Ask the model `name` through `exchange`; `endpoint` is what errors name, and whose key they never show.

        Raises:
            InvalidInput: the name is empty.
        """
        if not name.strip():
            raise InvalidInput("models.name", "is empty", "the name of a model at the endpoint")
        self._endpoint, self._exchange, self._name = endpoint, exchange, name
        self._options = (options or ChatOptions()).fields()

    @property
    def name(self) -> str:
        """Model name as the endpoint knows it."""
        return self._name

    def complete(
        self,
        messages: Sequence[Message],
        *,
        functions: Sequence[FunctionSpec] = (),
        required: bool = False,
        task: str = "",  # noqa: ARG002 - for the ledger, which sees it on the way
    ) -> Reply:
        """Send `messages` and return the reply; see `ChatModel.complete`.

        Raises:
            ModelError: what `Exchange.send` raises.
            ModelRefused: the model declined.
            ModelReplyInvalid: the reply is no usable chat completion.
        """
        body = {
            "model": self._name,
            "messages": [_message(message) for message in messages],
            **self._options,
            **_asked_for(functions, required=required),
        }
        raw = self._exchange.send(body)
        try:
            reply = replace(read_reply(raw, self._name), asked=self._name)
        except NoReply as fault:
            raise explain(fault, self._endpoint, self._name) from None
        return _as_call(reply, functions[0]) if _shape_of(functions) else reply

    def close(self) -> None:
        """Close the connections. The model cannot be used after this."""
        self._exchange.close()


def _shape_of(functions: Sequence[FunctionSpec]) -> bool:
    return len(functions) == 1 and functions[0].as_text


def _asked_for(functions: Sequence[FunctionSpec], *, required: bool) -> dict[str, Any]:
    """Return the fields by which calls, or a reply of a certain form, are asked for."""
    if not functions:
        return {}
    if _shape_of(functions):
        shape: dict[str, Any] = {"name": functions[0].name, "schema": dict(functions[0].parameters)}
        if functions[0].strict and allows_strict(functions[0].parameters):
            shape["strict"] = True
        return {"response_format": {"type": "json_schema", "json_schema": shape}}
    fields: dict[str, Any] = {"tools": [_tool(function) for function in functions], "parallel_tool_calls": False}
    if required:
        fields["tool_choice"] = "required"
    return fields


def _as_call(reply: Reply, function: FunctionSpec) -> Reply:
    """Return a reply whose text has the form of `function` as a call of it, to be checked like any other."""
    if reply.calls:
        return reply
    return replace(reply, text="", calls=(FunctionCall("call_0", function.name, reply.text.strip()),))


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.content}
    if message.calls:
        return {
            "role": message.role,
            "content": message.content or None,
            "tool_calls": [_past_call(call) for call in message.calls],
        }
    return {"role": message.role, "content": message.content}


def _past_call(call: FunctionCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": _past_arguments(call.arguments_json)},
    }


def _past_arguments(text: str) -> str:
    """Return arguments that every server takes back in a chat's history.

    vLLM and llama.cpp parse them and refuse the whole chat if they are no JSON object, which would
    make a repair turn impossible just where it is needed; so broken text travels inside an object.
    """
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    return text if is_object else json.dumps({"not_a_json_object": text}, ensure_ascii=False)


def _tool(function: FunctionSpec) -> Mapping[str, Any]:
    description = function.description
    if len(description) > MAX_FUNCTION_DESCRIPTION_CHARS:
        description = description[: MAX_FUNCTION_DESCRIPTION_CHARS - 1] + "…"
    shape: dict[str, Any] = {
        "name": function.name,
        "description": description,
        "parameters": dict(function.parameters),
    }
    if function.strict and allows_strict(function.parameters):
        shape["strict"] = True
    return {"type": "function", "function": shape}
