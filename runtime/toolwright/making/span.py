"""Within which bounds made-up arguments stay: those of the calls that are known to be sensible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str, ...]
"""Where a value stands in the arguments; all items of an array share one place, `[]`."""

ITEM = "[]"


@dataclass(slots=True)
class Place:
    """What the known calls have at one place."""

    values: list[Any] = field(default_factory=list)
    """Scalars, each once, in order of appearance."""
    longest: int = 0
    """Of the texts or arrays there."""
    letters: str = ""
    """Characters of the texts there, each once."""
    magnitude: float = 0
    """Of the numbers there."""

    def note(self, value: object) -> None:
        """Take `value` into the bounds."""
        if isinstance(value, str | list):
            self.longest = max(self.longest, len(value))
        if isinstance(value, str):
            self.letters += "".join(sorted(set(value) - set(self.letters)))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self.magnitude = max(self.magnitude, abs(value))
        if not isinstance(value, list | dict) and not any(_same(value, seen) for seen in self.values):
            self.values.append(value)


class Span:
    """The bounds of some calls, by place."""

    def __init__(self, calls: Iterable[Mapping[str, Any]]) -> None:
        """Take the bounds from `calls`: the arguments of each, by name."""
        self._places: dict[Path, Place] = {}
        for call in calls:
            for path, value in leaves(dict(call)):
                self._places.setdefault(path, Place()).note(value)

    def at(self, path: Path) -> Place:
        """Return the bounds at `path`; narrow ones where no call has anything there."""
        return self._places.get(path, Place(longest=1, letters="a", magnitude=1))


def leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value within `value`, arrays and objects too, with its place."""
    yield path, value
    if isinstance(value, list):
        for item in value:
            yield from leaves(item, (*path, ITEM))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other
