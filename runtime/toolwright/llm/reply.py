"""The body of a chat completion, read strictly: what an endpoint sends is data, and may be anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.llm.base import FunctionCall, Reply
from toolwright.llm.thinking import spoken
from toolwright.llm.transport import MAX_REPLY_BYTES

_RULES = JsonRules(MAX_REPLY_BYTES)
_SHOWN_CHARS = 300


class NoReply(ValueError):
    """The body is no usable chat completion. The text says why, and what may help."""

    def __init__(self, reason: str, quote: str = "") -> None:
        """`quote` is what the endpoint sent, untrusted and uncut; it is no part of the text."""
        super().__init__(reason)
        self.quote = quote


class RefusedReply(NoReply):
    """The model, or a filter after it, declined. It was paid for all the same."""

    prompt_tokens = 0
    completion_tokens = 0


def read_reply(body: bytes, model: str) -> Reply:
    """Return the reply that `body` holds; `model` is the name to use if it gives none.

    Arguments of function calls are passed on as text: whether they are JSON is for the caller to
    see, who can ask the model again.

    Raises:
        NoReply: it is no JSON, has no choice, says nothing, or a field has another type.
    """
    completion = _object(_parse(body), "the reply")
    if "choices" not in completion and completion.get("error"):
        raise NoReply("the reply has status 200 and holds an error", _error_text(completion["error"]))
    choices = completion.get("choices")
    if not isinstance(choices, list) or not choices:
        raise NoReply("the reply holds no choices")
    choice = _object(choices[0], "choices[0]")
    message = _object(choice.get("message"), "choices[0].message")
    finish = choice.get("finish_reason")
    finish = finish if isinstance(finish, str) else "stop"
    calls = _calls(message.get("tool_calls"))
    prompt_tokens, completion_tokens = _tokens(completion.get("usage"))
    try:
        text = _text(message, finish, has_calls=bool(calls))
    except RefusedReply as refused:
        refused.prompt_tokens, refused.completion_tokens = prompt_tokens, completion_tokens
        raise
    named = completion.get("model")
    return Reply(
        text=text,
        calls=calls,
        model=named if isinstance(named, str) and named else model,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        finish_reason=finish,
    )


def shown(text: str) -> str:
    """Return the start of an untrusted `text`, on one line and without control characters."""
    flat = "".join(sign if sign.isprintable() else " " for sign in text[: _SHOWN_CHARS * 2])
    flat = " ".join(flat.split())
    return flat if len(flat) <= _SHOWN_CHARS else flat[:_SHOWN_CHARS] + "…"


def _parse(body: bytes) -> object:
    try:
        value: object = _RULES.parse(body)
    except JsonRefused as refusal:
        start = body[: _SHOWN_CHARS * 4].decode("utf-8", "replace")
        if "<html" in start.lower() or "<!doctype" in start.lower():
            raise NoReply("a web page came back; correct the base URL, which usually ends in /v1") from None
        raise NoReply(f"the reply {refusal}", start) from None
    return value


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NoReply(f"{name} is no JSON object")
    return value


def _text(message: Mapping[str, Any], finish: str, *, has_calls: bool) -> str:
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        raise NoReply("choices[0].message.content is neither text nor null")
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal and not has_calls:
        raise RefusedReply("the model refused", refusal)
    if finish == "content_filter":
        raise RefusedReply("the endpoint's content filter stopped the reply; word the task otherwise")
    said = spoken(content or "")
    if not said.strip() and not has_calls:
        if finish == "length":
            raise NoReply("the reply ended at its token limit before it said anything; raise the limit")
        raise NoReply("the reply holds neither text nor a function call")
    return said


def _tokens(usage: object) -> tuple[int, int]:
    """Return the counts of prompt and completion. What the model thought is part of the completion.

    Most endpoints count it there; where the total shows that one does not, it is added.
    """
    if not isinstance(usage, Mapping):
        return 0, 0
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    details = usage.get("completion_tokens_details")
    thought = _count(details.get("reasoning_tokens")) if isinstance(details, Mapping) else 0
    apart = thought > 0 and _count(usage.get("total_tokens")) == prompt + completion + thought
    return prompt, completion + thought if apart else completion


def _calls(value: object) -> tuple[FunctionCall, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise NoReply("choices[0].message.tool_calls is no list")
    calls: dict[tuple[str, str], FunctionCall] = {}
    for number, item in enumerate(value):
        call = _call(number, item)
        # functions are pure here: the same call twice is one call
        calls.setdefault((call.name, _canonical(call.arguments_json)), call)
    return tuple(calls.values())


def _canonical(arguments_json: str) -> str:
    try:
        return json.dumps(_RULES.parse(arguments_json), sort_keys=True)
    except JsonRefused:
        return arguments_json


def _call(number: int, value: object) -> FunctionCall:
    name = f"choices[0].message.tool_calls[{number}]"
    call = _object(value, name)
    function = _object(call.get("function"), f"{name}.function")
    for field in ("name", "arguments"):
        if not isinstance(function.get(field), str):
            raise NoReply(f"{name}.function.{field} is no text")
    call_id = call.get("id")
    # some servers leave the id out; it only has to tell the calls of one turn apart
    usable_id = call_id if isinstance(call_id, str) and call_id else f"call_{number}"
    return FunctionCall(usable_id, function["name"], function["arguments"])


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _error_text(error: object) -> str:
    message = error.get("message") if isinstance(error, Mapping) else error
    return str(message)
