"""Answering from a recording, without any network: the same requests get what came back then, in the same order."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.errors import (
    InvalidInput,
    ModelContextExceeded,
    ModelError,
    ModelExchangeMissing,
    ModelRefused,
    ModelRejected,
    ModelReplyInvalid,
    ModelUnavailable,
)
from toolwright.llm.canonical import canonical, key_of
from toolwright.llm.recording import VERSION
from toolwright.llm.reply import shown

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
_RULES: Final = JsonRules(MAX_LINE_BYTES)
_FORM: Final = "a file that was written by --record"
_SHOWN_CHARS: Final = 80
_FAULTS: Final = {
    kind.reason: kind for kind in (ModelUnavailable, ModelReplyInvalid, ModelContextExceeded, ModelRefused)
}


@dataclass(frozen=True, slots=True)
class _Kept:
    """One exchange of the recording."""

    role: str
    model: str
    request: Mapping[str, Any]
    reply: str | None
    fault: Mapping[str, Any] | None


class Recording:
    """All exchanges of one file. Safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        """Read `path`.

        Raises:
            InvalidInput: it cannot be read, or is no recording; names the line.
        """
        self._by_key: dict[str, list[_Kept]] = defaultdict(list)
        self._used: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self.name = path.name
        """Of the file."""
        for key, kept in _read(path):
            self._by_key[key].append(kept)

    def model_of(self, role: str) -> str:
        """Return the model that played `role` first; empty if none did."""
        return next((kept.model for exchanges in self._by_key.values() for kept in exchanges if kept.role == role), "")

    def answer(self, body: Mapping[str, Any], role: str) -> bytes:
        """Return what came back for this request: the n-th time what came the n-th time, at last the last.

        Raises:
            ModelExchangeMissing: it was never made; names it, and the nearest one that was.
            ModelError: what it ended with then.
        """
        key = key_of(body)
        with self._lock:
            exchanges: Sequence[_Kept] = self._by_key.get(key, ())
            number = self._used[key]
            self._used[key] += 1
        if not exchanges:
            raise ModelExchangeMissing(self._missing(body, role, key))
        kept = exchanges[min(number, len(exchanges) - 1)]
        if kept.fault is not None:
            raise _fault(kept.fault)
        return (kept.reply or "").encode()

    def _missing(self, body: Mapping[str, Any], role: str, key: str) -> str:
        messages = body.get("messages") or [{"content": text} for text in body.get("input", ())] or [{}]
        last = shown(str(messages[-1].get("content"))[:_SHOWN_CHARS])
        return (
            f"the recording {self.name!r} holds no exchange {key[:16]} of the {role} {body.get('model')!r}, "
            f"whose last message begins {last!r}; {self._nearest(body)}"
        )

    def _nearest(self, body: Mapping[str, Any]) -> str:
        """Say which kept request agrees with this one for longest, and where they part."""
        sought = canonical(body)
        all_kept = [(key, kept) for key, exchanges in self._by_key.items() for kept in exchanges[:1]]
        same_model = [(key, kept) for key, kept in all_kept if kept.model == body.get("model")]
        texts = [(key, canonical(kept.request)) for key, kept in same_model or all_kept]
        if not texts:
            return "it holds none at all"
        key, nearest = max(texts, key=lambda one: _agreeing(one[1], sought))
        at = _agreeing(nearest, sought)
        start = max(0, at - _SHOWN_CHARS // 2)
        there, here = nearest[start : at + _SHOWN_CHARS], sought[start : at + _SHOWN_CHARS]
        return f"the nearest one, {key[:16]}, has {shown(there)!r} where this one has {shown(here)!r}"


@dataclass(frozen=True, slots=True)
class ReplayExchange:
    """An `Exchange` that answers from a recording."""

    recording: Recording
    role: str

    def send(self, body: Mapping[str, Any]) -> bytes:
        """Return what came back then; see `Recording.answer`."""
        return self.recording.answer(body, self.role)

    def close(self) -> None:
        """Do nothing: there is no connection."""


def _read(path: Path) -> Iterator[tuple[str, _Kept]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _kept(line, number)
    except OSError as fault:
        raise InvalidInput("models.replay", f"{str(path)!r} cannot be read: {fault.strerror}", _FORM) from None


def _kept(line: bytes, number: int) -> tuple[str, _Kept]:
    try:
        value = _RULES.parse(line)
    except JsonRefused as refusal:
        raise InvalidInput("models.replay", f"line {number} {refusal}", _FORM) from None
    if not isinstance(value, dict) or value.get("v") != VERSION:
        raise InvalidInput("models.replay", f"line {number} is no exchange of this version", _FORM)
    key, request, reply, fault = (value.get(name) for name in ("key", "request", "reply", "fault"))
    came = isinstance(reply, str) != isinstance(fault, dict)
    if not (isinstance(key, str) and isinstance(request, dict) and came):
        raise InvalidInput("models.replay", f"line {number} lacks a key, a request, or one reply or fault", _FORM)
    return key, _Kept(str(value.get("role")), str(value.get("model")), request, reply, fault)


def _fault(kept: Mapping[str, Any]) -> ModelError:
    message, status = str(kept.get("message")), kept.get("status")
    if kept.get("reason") == ModelRejected.reason:
        known = status if isinstance(status, int) else 0
        return ModelRejected(message, status=known, subject=str(kept.get("subject", "")))
    return _FAULTS.get(str(kept.get("reason")), ModelUnavailable)(message)


def _agreeing(one: str, other: str) -> int:
    """Return how many characters at their start are the same."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
