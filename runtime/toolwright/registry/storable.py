"""Which values every store can hold and give back unchanged.

SQLite keeps NaN as NULL, PostgreSQL knows no NUL in a text, neither takes a lone surrogate or an
integer beyond 64 bits. What one of them cannot hold is refused by all, before anything is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from toolwright.errors import AlreadyExists, InvalidInput

MAX_INTEGER = 2**63 - 1


def is_storable_text(text: str) -> bool:
    """Return whether a text column takes `text`: it has neither NUL nor a lone surrogate."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_storable(row: Mapping[str, object], where: str) -> None:
    """Let `row` pass if each of its texts and numbers can be kept as it is. Other types are not looked at.

    Raises:
        InvalidInput: names the field as `where.field`.
    """
    for field, value in row.items():
        if isinstance(value, str):
            if not is_storable_text(value):
                raise InvalidInput(f"{where}.{field}", "holds NUL or a lone surrogate", "other Unicode text")
        elif isinstance(value, int):
            if abs(value) > MAX_INTEGER:
                raise InvalidInput(f"{where}.{field}", "is out of range", "an integer of 64 bits")
        elif isinstance(value, float) and not math.isfinite(value):
            raise InvalidInput(f"{where}.{field}", f"is {value}", "a finite number")


def check_page(after: str, limit: int) -> None:
    """Let the arguments of a listing pass if they ask for a page that can be.

    Raises:
        InvalidInput: names the field.
    """
    if limit < 0:
        raise InvalidInput("limit", f"is {limit}", "0 or more")
    check_storable({"after": after}, "page")


def taken(kind: str, name: str) -> AlreadyExists:
    """Return the error for an id that something else has."""
    return AlreadyExists(f"the {kind} {name!r} is already kept; use a new id")
