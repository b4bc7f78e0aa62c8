"""What the readers of questions share: spacing, numbers in words, lists and lettered options."""

from __future__ import annotations

import re

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
NUMBER_WORDS = {word: value for value, word in enumerate(_SMALL.split())}
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
ORDINAL_WORDS = {word: value for value, word in enumerate(_ORDINALS.split(), start=1)}

_OPTION = re.compile(r"^[ \t]*(?:\(([A-Z])\)|([A-Z])[).:])[ \t]*(\S.*)$", re.MULTILINE)
_INLINE_OPTION = re.compile(r"\(([A-Z])()\)[ \t]*([^()\n]+)")
_HEADING = re.compile(r"\b(?:options|choices|possible answers)\s*:?\Z", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:an?|the|some)\s+", re.IGNORECASE)


def squeeze(text: str) -> str:
    """Return `text` with each run of white space as one space."""
    return " ".join(text.split())


def split_options(question: str) -> tuple[str, list[str]]:
    """Return what stands before the options, and their texts in the order of the letters A, B and so on.

    Each option is a line of its own, or all stand in one line as `(A) … (B) …`. The list is empty where
    the question has no such options.
    """
    for pattern in (_OPTION, _INLINE_OPTION):
        found = list(pattern.finditer(question))
        letters = [match[1] or match[2] for match in found]
        if found and letters == [chr(ord("A") + index) for index in range(len(found))]:
            body = _HEADING.sub("", question[: found[0].start()].rstrip()).rstrip()
            return body, [squeeze(match[3]).rstrip(".") for match in found]
    return question, []


def split_list(text: str) -> list[str]:
    """Return the members of an enumeration such as `a fig, a plum, and a pear`, without their articles."""
    members = re.split(r",\s*and\s+|,\s*|\s+and\s+", squeeze(text))
    return [_ARTICLE.sub("", member) for member in members if member]
