"""What rows are, and how damage to one is noticed. `tool_rows.py` and `log_rows.py` turn values into rows.

Both stores use these rows, so both refuse and detect the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from toolwright.errors import InvalidInput

Row = dict[str, Any]
"""Column name to value, as `tables.py` declares them."""


class DamagedRow(Exception):
    """A row does not hold what was put into it; the text says which. Stores raise `StoreCorrupt` from it."""


def to_bytes(text: str) -> bytes:
    """Return what an `ANY_TEXT` column keeps: any string at all, NUL and lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")


def from_bytes(raw: bytes | memoryview) -> str:
    """Return the text that `to_bytes` was given."""
    return bytes(raw).decode("utf-8", "surrogatepass")


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Whatever goes wrong in turning a row into a value is damage: the value was good when it was kept."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, InvalidInput) as fault:
        raise DamagedRow(f"{what} is not what was kept: {fault}") from fault
