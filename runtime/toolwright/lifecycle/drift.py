"""Arguments unlike any that a version was verified with.

The *profile* of a version is made of calls that it was verified with: the arguments of its demonstrations. Of each
parameter, of the items of a list and of the values of an object, it has the JSON types that occurred, and for each
type the smallest and the largest *size*: for a text or list its length, for an object the number of its keys, for
a number its distance from zero, each counted in doublings (bits); a number's sign counts too.

A call is *unlike* them if something in its arguments has a type that did not occur in its place, or a size that is more
than one doubling beyond those that did. That says that the call is outside what the verification has shown. It does
not say that the answer is wrong; and a call that is like the verified ones may still be of a kind that they never were,
for what a text says is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.tool import ToolVersion

MAX_WATCHED_CHARS = 16 * 1024
"""Longer arguments are not looked at: they would fill the queue."""
_SLACK = 1
_MAX_LEAVES = 256
"""Beyond so many values of one call the rest is not looked at."""
_RULES = JsonRules(max_bytes=1024 * 1024)

Place = tuple[str, str]
"""A path within the arguments, and a JSON type."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a version was verified with."""

    sizes: Mapping[Place, tuple[int, int]]
    """Smallest and largest size of each type in each place. Empty if nothing is known."""

    @classmethod
    def of_calls(cls, calls: Iterable[str]) -> Profile:
        """Return the profile of calls with these arguments, as JSON texts. One that cannot be read is left out."""
        sizes: dict[Place, tuple[int, int]] = {}
        for arguments_json in calls:
            for place, size in leaves(arguments_json):
                low, high = sizes.get(place, (size, size))
                sizes[place] = (min(low, size), max(high, size))
        return cls(sizes)

    @classmethod
    def of_version(cls, version: ToolVersion) -> Profile:
        """Return the profile of `version`."""
        return cls.of_calls(shown.arguments_json for shown in version.demonstrations)

    def is_unlike(self, arguments_json: str) -> bool:
        """Whether a call with these arguments is unlike all that the version was verified with."""
        return any(not self._covers(place, size) for place, size in leaves(arguments_json))

    def _covers(self, place: Place, size: int) -> bool:
        seen = self.sizes.get(place)
        return seen is not None and seen[0] - _SLACK <= size <= seen[1] + _SLACK


def leaves(arguments_json: str) -> Iterator[tuple[Place, int]]:
    """Yield each value within the arguments: where, of which type, how large; nothing for what is no JSON object."""
    try:
        arguments = _RULES.parse(arguments_json)
    except JsonRefused:
        return
    if not isinstance(arguments, dict):
        return
    waiting: list[tuple[str, Any]] = list(arguments.items())
    for _ in range(_MAX_LEAVES):
        if not waiting:
            return
        path, value = waiting.pop()
        kind, size = _measured(value)
        yield (path, kind), size
        if isinstance(value, list):
            waiting.extend((f"{path}[]", item) for item in value[:_MAX_LEAVES])
        elif isinstance(value, dict):
            waiting.extend((f"{path}.*", item) for item in list(value.values())[:_MAX_LEAVES])


def _measured(value: object) -> tuple[str, int]:
    match value:
        case None:
            return "null", 0
        case bool():
            return "boolean", 0
        case int():
            return "number", _signed(value.bit_length(), negative=value < 0)
        case float():
            bits = max(0, math.frexp(value)[1]) if value else 0
            return "number", _signed(bits, negative=value < 0)
        case str():
            return "string", len(value).bit_length()
        case list():
            return "array", len(value).bit_length()
        case dict():
            return "object", len(value).bit_length()
        case _:  # JSON has no other types
            return type(value).__name__, 0


def _signed(bits: int, *, negative: bool) -> int:
    return -bits if negative else bits
