"""Sentences about an order, such as `The kite is to the left of the flag`, as data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypedDict

from toolwright.llm.offline.tasks.wording import ORDINAL_WORDS, squeeze


class Statement(TypedDict):
    """`subject` is at `position` (1 is first, -1 is last) or comes somewhere `before` another object."""

    subject: str
    position: int | None
    before: str | None


# Each row is one axis: (says "comes before", says "comes after"). What is first on an axis (left, oldest,
# cheapest, top, fastest) is a convention; it only has to be the same for all sentences of a question.
_COMPARED = (
    (r"left of", r"right of"),
    (r"older", r"newer|younger"),
    (r"less expensive|cheaper", r"more expensive|dearer|pricier|costlier"),
    (r"above|higher|before|ahead of|earlier|sooner|faster|quicker", r"below|lower|after|behind|later|slower"),
    (r"in front of|closer to the front", r"at the back of"),
    (r"shorter|smaller|lighter|thinner|less heavy", r"taller|larger|bigger|longer|heavier|thicker"),
    (r"colder|cooler|darker|quieter", r"warmer|hotter|brighter|louder"),
)
_ENDS = (
    (r"leftmost|from the left", r"rightmost|from the right"),
    (r"oldest", r"newest|youngest"),
    (r"least expensive|cheapest", r"most expensive|dearest|priciest|costliest"),
    (
        r"topmost|highest|from the top|earliest|fastest|quickest|at the top",
        r"bottommost|lowest|from the bottom|latest|slowest|at the bottom",
    ),
    (r"from the front|at the front|foremost", r"from the back|at the back|hindmost"),
    (r"shortest|smallest|lightest|thinnest|least heavy", r"tallest|largest|biggest|longest|heaviest|thickest"),
    (r"coldest|coolest|darkest|quietest", r"warmest|hottest|brightest|loudest"),
)


def _any(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b", re.IGNORECASE)


_BEFORE, _AFTER = (_any([row[side] for row in _COMPARED]) for side in (0, 1))
_FIRST, _LAST = (_any([row[side] for row in _ENDS]) for side in (0, 1))
_PAIR = 2
_ORDINAL = re.compile(rf"\b(?:({'|'.join(ORDINAL_WORDS)})|(\d{{1,2}})(?:st|nd|rd|th))\b", re.IGNORECASE)
_FROM_END = re.compile(r"\b(?:to[ -]last|from last)\b", re.IGNORECASE)
_FINAL = re.compile(r"\blast\b", re.IGNORECASE)
_MIDDLE = re.compile(r"\bin the (?:exact )?middle\b", re.IGNORECASE)
# Sentences that say something else than a plain comparison or position.
_OTHERWISE = re.compile(
    r"\b(?:not|never|neither|nor|or|either|directly|immediately|just|next to|between|adjacent|exactly)\b|n't\b",
    re.IGNORECASE,
)
_HOLE = "\x00"


def named(sentence: str, objects: Sequence[str]) -> tuple[list[str], str]:
    """Return the objects that a sentence names, in order, and the sentence with holes in their places."""
    if not objects:
        return [], sentence
    longest_first = sorted(objects, key=len, reverse=True)
    # ASCII: beyond it, two letters may match whose lower-case forms differ, and `exact` would not know the name.
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])", re.IGNORECASE | re.ASCII)
    exact = {name.lower(): name for name in objects}
    return [exact[match[0].lower()] for match in pattern.finditer(sentence)], pattern.sub(_HOLE, sentence)


def position(text: str, size: int) -> int | None:
    """Return the position that `text` speaks of among `size` objects: 1 for the first, -1 for the last."""
    if _OTHERWISE.search(text):
        return None
    ordinal = _ORDINAL.search(text)
    rank = _rank(ordinal) if ordinal else 1
    place: int | None = None
    if _FROM_END.search(text) or _LAST.search(text):
        place = -rank
    elif ordinal or _FIRST.search(text):
        place = rank
    elif _FINAL.search(text):
        place = -1
    elif _MIDDLE.search(text) and size % 2:
        place = (size + 1) // 2
    return place if place and abs(place) <= size else None


def _rank(ordinal: re.Match[str]) -> int:
    """Return the number that an ordinal stands for; 0 if it only looks like one."""
    return int(ordinal[2]) if ordinal[2] else ORDINAL_WORDS.get(ordinal[1].lower(), 0)


def statement(sentence: str, objects: Sequence[str]) -> Statement | None:
    """Return what a sentence about one or two of `objects` says; None if it says something else."""
    names, rest = named(squeeze(sentence), objects)
    if _OTHERWISE.search(rest):
        return None
    if len(names) == 1:
        place = position(rest, len(objects))
        return None if place is None else Statement(subject=names[0], position=place, before=None)
    if len(names) != _PAIR or names[0] == names[1]:
        return None
    relation = rest.partition(_HOLE)[2].partition(_HOLE)[0]
    before, after = bool(_BEFORE.search(relation)), bool(_AFTER.search(relation))
    if before == after:
        return None
    first, second = names if before else reversed(names)
    return Statement(subject=first, position=None, before=second)
