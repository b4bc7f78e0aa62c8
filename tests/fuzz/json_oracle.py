"""What `JsonRules` has to say of a text, worked out the slow way: `json.loads` parses, its hooks watch the rules."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from toolwright.domain.json_rules import JsonRefused, JsonRules

_MAX_REFUSAL_CHARS: Final = 250


class _Breach(Exception):
    """A rule is broken."""


@dataclass(slots=True)
class _Watch:
    """The hooks of one parse."""

    rules: JsonRules
    items: int = 0

    def integer(self, text: str) -> int:
        self._length(text)
        return int(text)

    def fraction(self, text: str) -> float:
        self._length(text)
        value = float(text)
        if not math.isfinite(value):
            raise _Breach(text)
        return value

    def constant(self, name: str) -> Any:
        raise _Breach(name)

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise _Breach("a key twice")
        return dict(pairs)

    def _length(self, text: str) -> None:
        if len(text.removeprefix("-")) > self.rules.max_number_chars:
            raise _Breach(text)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The text is JSON within the rules; `value` is what it says."""

    value: Any


def expected(raw: bytes, rules: JsonRules) -> Accepted | None:
    """Return what `rules` have to make of `raw`: None if it has to be refused."""
    watch = _Watch(rules)
    if len(raw) > rules.max_bytes:
        return None
    try:
        value = json.loads(
            raw.decode("utf-8", "strict"),
            parse_int=watch.integer,
            parse_float=watch.fraction,
            parse_constant=watch.constant,
            object_pairs_hook=watch.pairs,
        )
        places = list(_places(value, 1))
    except (_Breach, ValueError, RecursionError):
        return None
    items = sum(1 + max(0, len(one) - 1) for one, _ in places if isinstance(one, list | dict))
    deepest = max((depth for one, depth in places if isinstance(one, list | dict)), default=0)
    texts = [text for one, _ in places for text in (one if isinstance(one, dict) else [one]) if isinstance(text, str)]
    if items > rules.max_items or deepest > rules.max_depth or any(map(_has_surrogate, texts)):
        return None
    return Accepted(value)


def check(raw: bytes, rules: JsonRules) -> None:
    """Compare `rules.parse(raw)` with what is expected: the same verdict, and the same value to the last digit.

    Raises:
        AssertionError: they differ; or anything but `JsonRefused` came out.
    """
    wanted = expected(raw, rules)
    refusal = ""
    try:
        value = rules.parse(raw)
    except JsonRefused as refused:
        refusal = str(refused) or "nothing"
    if refusal:
        assert wanted is None, f"{raw!r} was refused: {refusal}"
        assert len(refusal) < _MAX_REFUSAL_CHARS, "a refusal is short, however long the text was"
        return
    assert wanted is not None, f"{raw!r} was accepted as {value!r}"
    # Not ==, to which 1, 1.0 and True are one, and to which minus zero is zero.
    assert repr(value) == repr(wanted.value), f"{raw!r}: {value!r} is not {wanted.value!r}"


def _places(value: Any, depth: int) -> Iterator[tuple[Any, int]]:
    yield value, depth
    if isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _places(inner, depth + 1)


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
