"""A `ChatModel` behind any OpenAI-compatible endpoint, through the `openai` SDK."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import openai

from toolwright.errors import InvalidInput
from toolwright.llm.base import FunctionCall, FunctionSpec, Message, Reply
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.openai_faults import explain
from toolwright.llm.reply import NoReply, read_reply
from toolwright.llm.strict_schema import allows_strict
from toolwright.llm.transport import bounded_client, patience

MAX_FUNCTION_DESCRIPTION_CHARS = 1024
"""Longer ones are refused with 400 by OpenAI and by others that follow it."""

MaxTokensField = Literal["max_completion_tokens", "max_tokens"]


class OpenAIModel:
    """One model of an endpoint. Safe to use from many threads; `close` when done."""

    def __init__(
        self,
        endpoint: Endpoint,
        name: str,
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        max_tokens_field: MaxTokensField = "max_completion_tokens",
    ) -> None:
        """Prepare the SDK's client; nothing is sent yet.

        Args:
            endpoint: where the model answers.
            name: the model's name there.
            temperature: left out of requests if None: reasoning models refuse it.
            max_tokens: most tokens of a reply; left out if None.
            max_tokens_field: how the endpoint calls that; older servers know `max_tokens` only.

        Raises:
            InvalidInput: the name is empty.
        """
        if not name.strip():
            raise InvalidInput("models.name", "is empty", "the name of a model at the endpoint")
        self._endpoint = endpoint
        self._name = name
        self._options: dict[str, Any] = {}
        if temperature is not None:
            self._options["temperature"] = temperature
        if max_tokens is not None:
            self._options[max_tokens_field] = max_tokens
        self._client = openai.OpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.bearer,
            timeout=patience(endpoint.timeout_s),
            max_retries=endpoint.max_retries,
            http_client=bounded_client(endpoint.timeout_s, use_proxies=not endpoint.is_loopback),
        )

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

        Waits at most `(retries + 1)` times twice the endpoint's time-out, plus the pauses between
        tries: up to 8 s each, or what `Retry-After` asks for, up to 120 s.

        Raises:
            ModelUnavailable: no answer, or 429 or 5xx, after all retries.
            ModelRejected: the endpoint refused the request.
            ModelReplyInvalid: the reply is no usable chat completion.
        """
        request: dict[str, Any] = {
            "model": self._name,
            "messages": [_message(message) for message in messages],
            **self._options,
        }
        if functions:
            request["tools"] = [_tool(function) for function in functions]
            if required:
                request["tool_choice"] = "required"
        try:
            # the SDK builds its values without checking types, so the body is read by our own rules
            response = self._client.chat.completions.with_raw_response.create(**request)
            return read_reply(response.content, self._name)
        except (openai.OpenAIError, NoReply) as fault:
            # `from None`: the SDK's own text may hold what the endpoint echoed, the key included
            raise explain(fault, self._endpoint, self._name) from None

    def close(self) -> None:
        """Close the connections. The model cannot be used after this."""
        self._client.close()


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


def _tool(function: FunctionSpec) -> dict[str, Any]:
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
