"""A streamed completion put together to the body that the same request gives without streaming."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.llm.transport import MAX_REPLY_BYTES

_RULES: Final = JsonRules(MAX_REPLY_BYTES)
_DATA: Final = "data:"
_DONE: Final = "[DONE]"
_TEXTS: Final = ("content", "refusal")
_MAX_CALLS: Final = 128


class BrokenStream(ValueError):
    """The stream ended early, or is none. `quote` is what it said instead: untrusted, and no part of the text."""

    def __init__(self, reason: str, quote: str = "") -> None:
        super().__init__(reason)
        self.quote = quote


@dataclass(slots=True)
class _Assembly:
    """What came so far."""

    head: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    places: dict[object, int] = field(default_factory=dict)
    finish: str | None = None
    usage: Mapping[str, Any] | None = None


def assemble(lines: Iterable[str]) -> bytes:
    """Return the completion that the server-sent events in `lines` hold, as JSON.

    What a model thinks before it speaks is left out, as it is of whole replies.

    Raises:
        BrokenStream: it ended before the reply did, reports an error, or holds something else.
    """
    so_far = _Assembly()
    for chunk in _chunks(lines):
        _add(so_far, chunk)
    if so_far.finish is None:
        raise BrokenStream("the stream ended before the reply did")
    message: dict[str, Any] = {"role": "assistant", "content": None}
    message |= {name: "".join(parts) for name, parts in so_far.texts.items()}
    if so_far.calls:
        message["tool_calls"] = [_joined(call) for call in so_far.calls]
    choice = {"index": 0, "message": message, "finish_reason": so_far.finish}
    return json.dumps({**so_far.head, "choices": [choice], "usage": so_far.usage}).encode()


def _chunks(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        if not line.startswith(_DATA):
            continue  # comments keep the connection alive; names of events say nothing here
        data = line.removeprefix(_DATA).strip()
        if data == _DONE:
            return
        try:
            chunk = _RULES.parse(data)
        except JsonRefused as refusal:
            raise BrokenStream(f"a piece of the stream {refusal}", data[:1000]) from None
        if not isinstance(chunk, Mapping):
            raise BrokenStream("a piece of the stream is no JSON object")
        if chunk.get("error"):
            raise BrokenStream("the stream reports an error", str(chunk["error"])[:1000])
        yield chunk


def _add(so_far: _Assembly, chunk: Mapping[str, Any]) -> None:
    for name in ("id", "created", "model", "system_fingerprint"):
        if chunk.get(name) is not None:
            so_far.head.setdefault(name, chunk[name])
    if isinstance(chunk.get("usage"), Mapping):
        so_far.usage = chunk["usage"]
    choices = chunk.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        return  # the last piece holds the token counts alone
    finish, delta = choices[0].get("finish_reason"), choices[0].get("delta")
    if isinstance(finish, str):
        so_far.finish = finish
    if isinstance(delta, Mapping):
        for name in _TEXTS:
            if isinstance(delta.get(name), str):
                so_far.texts.setdefault(name, []).append(delta[name])
        for call in delta.get("tool_calls") or ():
            _add_call(so_far, call)


def _add_call(so_far: _Assembly, piece: object) -> None:
    """Pieces of one call have its number; servers that give none send each call in one piece, or its id with each."""
    if not isinstance(piece, Mapping):
        raise BrokenStream("a piece of a function call is no JSON object")
    key = piece.get("index")
    key = key if isinstance(key, int) else piece.get("id") or len(so_far.calls)
    if key not in so_far.places:
        if len(so_far.calls) >= _MAX_CALLS:
            raise BrokenStream(f"the stream holds more than {_MAX_CALLS} function calls")
        so_far.places[key] = len(so_far.calls)
        so_far.calls.append({"id": "", "name": "", "arguments": []})
    call, function = so_far.calls[so_far.places[key]], piece.get("function")
    call["id"] = call["id"] or piece.get("id") or ""
    if isinstance(function, Mapping):
        call["name"] = call["name"] or function.get("name") or ""
        if isinstance(function.get("arguments"), str):
            call["arguments"].append(function["arguments"])


def _joined(call: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": "".join(call["arguments"])}
    return {"id": call["id"], "type": "function", "function": function}
