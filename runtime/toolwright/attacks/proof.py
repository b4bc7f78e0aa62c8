"""What a case says of what it saw: it holds, it is broken, or nothing is proven."""

from __future__ import annotations

from collections.abc import Container
from typing import NoReturn

_SHOWN = 1_000


class Broken(AssertionError):
    """Something that has to hold does not."""


class NotProven(AssertionError):
    """The probe could not run, or could not have seen anything: never to be taken for good."""


def same(found: object, expected: object, what: str = "result") -> None:
    """Demand exactly this, of the same type.

    Args:
        found: what was seen.
        expected: what has to be seen.
        what: names it in the failure.

    Raises:
        Broken: it is something else.
    """
    if type(found) is not type(expected) or found != expected:
        raise Broken(f"{what} is {_cut(found)}, not {_cut(expected)}")


def among(found: object, allowed: Container[object], what: str = "result") -> None:
    """Demand one of several.

    Raises:
        Broken: it is none of them.
    """
    if found not in allowed:
        raise Broken(f"{what} is {_cut(found)}, not one of {_cut(allowed)}")


def sure(holds: object, what: str) -> None:
    """Demand that `holds` is true.

    Args:
        holds: the condition.
        what: says what does not hold if it is not.

    Raises:
        Broken: it is not true.
    """
    if not holds:
        raise Broken(what)


def shown(could: object, why_not: str) -> None:
    """Demand that a probe could have seen something.

    Raises:
        NotProven: it could not, for `why_not`.
    """
    if not could:
        not_proven(why_not)


def not_proven(why: str) -> NoReturn:
    """End a case that shows nothing.

    Raises:
        NotProven: always.
    """
    raise NotProven(f"NOT PROVEN: {why}")


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"
