"""Valid calls made up from known ones: each has one thing changed, and stays within schema and span."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from toolwright.errors import InvalidInput
from toolwright.execution.arguments import check_arguments
from toolwright.making.span import ITEM, Path, Place, Span

Arguments = dict[str, Any]

_TRIES: Final = 60
"""For each wanted call: what breaks the schema or is known already is drawn again."""
_RENAMES: Final = 0.25
"""Share of changed texts that are changed wherever they stand, so that what refers to them still does."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """One value within a call, and how to replace it."""

    path: Path
    holder: Any
    key: Any

    @property
    def value(self) -> Any:  # noqa: ANN401 - a JSON value
        return self.holder[self.key]

    def put(self, value: object) -> None:
        self.holder[self.key] = value


class Mutator:
    """Makes up calls. The same seed gives the same ones."""

    def __init__(self, schema: Mapping[str, Any], calls: Sequence[Arguments], seed: int) -> None:
        """Make calls that fit `schema` and stay within the span of `calls`."""
        self._schema, self._calls, self._span = schema, list(calls), Span(calls)
        self._random = random.Random(seed)  # noqa: S311 - to be drawn again from the record, not to be secret

    def mutants(self, count: int) -> Iterator[Arguments]:
        """Yield up to `count` calls with one change each, none twice and none of the known ones."""
        return self._fresh(count, self._mutant)

    def edges(self, count: int) -> Iterator[Arguments]:
        """Yield up to `count` calls with an extreme value each: empty, zero, the largest, null."""
        return self._fresh(count, self._edge)

    def variations(self, name: str, bases: Sequence[Arguments], count: int) -> Iterator[tuple[Arguments, Arguments]]:
        """Yield up to `count` calls that differ from a base in the argument `name` alone, each with its base."""
        known = [call[name] for call in self._calls if name in call]
        seen: set[str] = set()
        for attempt in range(count * 4):
            base = bases[attempt % len(bases)]
            changed = copy.deepcopy(base)
            self._vary(changed, name, known)
            text = json.dumps(changed)
            if text not in seen and json.dumps(changed) != json.dumps(base) and self._fits(changed):
                seen.add(text)
                yield changed, base
            if len(seen) >= count:
                return

    def _fresh(self, count: int, make: Callable[[], Arguments]) -> Iterator[Arguments]:
        seen = {json.dumps(call, sort_keys=True) for call in self._calls}
        found = 0
        for _ in range(count * _TRIES):
            if found >= count:
                return
            call = make()
            text = json.dumps(call, sort_keys=True)
            if text not in seen and self._fits(call):
                seen.add(text)
                found += 1
                yield call

    def _mutant(self) -> Arguments:
        call = copy.deepcopy(self._random.choice(self._calls))
        if len(self._calls) > 1 and len(call) > 1 and self._random.random() < 1 / 6:
            other = self._random.choice(self._calls)
            name = self._random.choice(sorted(call))
            call[name] = copy.deepcopy(other.get(name, call[name]))
            return call
        if not call:
            return self._with_default(call)
        slot = self._slot(call)
        old = slot.value
        new = self._changed(old, slot.path)
        if isinstance(old, str) and isinstance(new, str) and self._random.random() < _RENAMES:
            for each in _slots(call):
                if each.value == old:
                    each.put(new)
        else:
            slot.put(new)
        return call

    def _edge(self) -> Arguments:
        call = copy.deepcopy(self._random.choice(self._calls))
        if not call:
            return self._with_default(call)
        slot = self._slot(call)
        slot.put(self._random.choice(_extremes(slot.value, self._span.at(slot.path))))
        return call

    def _with_default(self, call: Arguments) -> Arguments:
        """Give a value to a parameter that a call without arguments leaves at its default."""
        name = self._random.choice(sorted(self._schema["properties"]))
        return {**call, name: self._of_schema(name)}

    def _vary(self, call: Arguments, name: str, known: Sequence[Any]) -> None:
        chance = self._random.random()
        if name not in call or (known and chance < 0.4):  # noqa: PLR2004 - values that others have, two times in five
            call[name] = copy.deepcopy(self._random.choice(known)) if known else self._of_schema(name)
            return
        if chance < 0.6:  # noqa: PLR2004 - as often an extreme one, or another one of the type
            call[name] = self._of_schema(name)
            return
        slot = self._random.choice([slot for slot in _slots(call) if slot.path[0] == name])
        slot.put(self._changed(slot.value, slot.path))

    def _of_schema(self, name: str) -> Any:  # noqa: ANN401 - a JSON value
        return self._random.choice(_of(self._schema["properties"][name], self._span.at((name,))))

    def _slot(self, call: Arguments) -> _Slot:
        # First the argument, then a place in it: a long list would leave the others no chance.
        name = self._random.choice(sorted(call))
        return self._random.choice([slot for slot in _slots(call) if slot.path[0] == name])

    def _changed(self, value: Any, path: Path) -> Any:  # noqa: ANN401 - JSON values
        place = self._span.at(path)
        others = [other for other in [*place.values, *self._enumerated(path)] if other != value]
        draw = self._random
        if others and draw.random() < 0.3:  # noqa: PLR2004 - what stands in its place elsewhere, three times in ten
            return draw.choice(others)
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return draw.choice([value + 1, value - 1, draw.randint(0, max(1, int(place.magnitude)))])
        if isinstance(value, float):
            return draw.choice([value / 2, value + 1, round(draw.uniform(0, place.magnitude or 1), 2)])
        if isinstance(value, str):
            return _changed_text(value, place, draw)
        if isinstance(value, list):
            return _changed_list(value, place, draw)
        if isinstance(value, dict) and value:
            kept = dict(value)
            del kept[draw.choice(sorted(kept))]
            return kept
        return draw.choice(others) if others else value

    def _enumerated(self, path: Path) -> list[Any]:
        """Return the values that the schema lists for `path`."""
        schema: Any = self._schema
        for step in path:
            branches = [schema, *schema.get("anyOf", ())]
            below = [
                branch["items"] if step == ITEM else branch["properties"][step]
                for branch in branches
                if (isinstance(branch.get("items"), dict) if step == ITEM else step in branch.get("properties", {}))
            ]
            if not below:
                return []
            schema = below[0]
        listed = [*schema.get("enum", ())]
        for branch in schema.get("anyOf", ()):
            listed += [*branch.get("enum", ())] + ([None] if branch.get("type") == "null" else [])
        return listed

    def _fits(self, call: Arguments) -> bool:
        try:
            check_arguments(self._schema, json.dumps(call))
        except (InvalidInput, ValueError):
            return False
        return True


def _slots(value: Any, path: Path = ()) -> Iterator[_Slot]:  # noqa: ANN401 - a JSON value
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, list | dict):
        pairs = enumerate(value) if isinstance(value, list) else value.items()
    for key, item in pairs:
        place = (*path, ITEM if isinstance(value, list) else key)
        yield _Slot(place, value, key)
        yield from _slots(item, place)


def _changed_text(text: str, place: Place, draw: random.Random) -> str:
    if not text:
        return draw.choice(place.letters or "a")
    at = draw.randrange(len(text))
    kind = [sign for sign in place.letters if _kind(sign) == _kind(text[at])] or [text[at]]
    other = draw.choice(kind)
    changes = [text[:at] + other + text[at + 1 :], text[:at] + other + text[at + 1 :], text[:at] + text[at + 1 :]]
    if at:
        changes.append(text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :])
    if len(text) < place.longest:
        changes.append(text[:at] + other + text[at:])
    return draw.choice(changes)


def _kind(sign: str) -> str:
    return (
        "0" if sign.isdigit() else "a" if sign.islower() else "A" if sign.isupper() else sign if sign.isspace() else "."
    )


def _changed_list(items: list[Any], place: Place, draw: random.Random) -> list[Any]:
    if not items:
        return items
    kept, at = list(items), draw.randrange(len(items))
    match draw.randrange(4):
        case 0:
            del kept[at]
        case 1 if len(items) < place.longest:
            kept.insert(at, copy.deepcopy(draw.choice(items)))
        case 2:
            kept.reverse()
        case _:
            draw.shuffle(kept)
    return kept


def _extremes(value: Any, place: Place) -> list[Any]:  # noqa: ANN401 - JSON values
    if isinstance(value, bool) or value is None:
        return [True, False, None]
    if isinstance(value, int):
        most = int(place.magnitude)
        return [0, 1, -1, most, -most]
    if isinstance(value, float):
        return [0.0, 1.0, -1.0, 0.5, place.magnitude, -place.magnitude]
    if isinstance(value, str):
        letter = place.letters[:1] or "a"
        return ["", " ", letter, value[:1], letter * place.longest]
    if isinstance(value, list):
        return [[], value[:1], (value * place.longest)[: place.longest]]
    return [{}]


def _of(schema: Mapping[str, Any], place: Place) -> list[Any]:
    """Return a few values of the type that `schema` says, within `place`."""
    if "enum" in schema:
        return list(schema["enum"])
    if "anyOf" in schema:
        return [value for branch in schema["anyOf"] for value in _of(branch, place)]
    kinds = schema.get("type", [])
    found: list[Any] = []
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind in _BY_TYPE:
            found += _BY_TYPE[kind](place)
    return found or [schema.get("const")]


_BY_TYPE: Final[dict[str, Callable[[Place], list[Any]]]] = {
    "string": lambda place: _extremes("x", place),
    "integer": lambda place: [*_extremes(0, place), 2, 3],
    "number": lambda place: [*_extremes(0.0, place), 2, 2.5],
    "boolean": lambda _: [True, False],
    "null": lambda _: [None],
    "array": lambda _: [[]],
    "object": lambda _: [{}],
}
