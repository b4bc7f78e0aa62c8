"""Files and streams that a command reads: bounded, strict, and each fault names where it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.errors import InvalidInput


def read_text(path: Path, *, limit: int) -> str:
    """Return the text of a UTF-8 file of at most `limit` bytes.

    Raises:
        InvalidInput: it cannot be read, is too large or is not UTF-8; names the path.
    """
    return _decoded(_read(path, limit), str(path), limit)


def read_bytes(path: Path, *, limit: int) -> bytes:
    """Return what is in a file of at most `limit` bytes.

    Raises:
        InvalidInput: it cannot be read, or is too large; names the path.
    """
    raw = _read(path, limit)
    if len(raw) > limit:
        raise InvalidInput(str(path), f"has more than {limit} bytes", f"at most {limit} bytes")
    return raw


def _read(path: Path, limit: int) -> bytes:
    field = str(path)
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except FileNotFoundError:
        raise InvalidInput(field, "there is no such file") from None
    except IsADirectoryError:
        raise InvalidInput(field, "is a directory", "a file") from None
    except (OSError, ValueError) as fault:  # ValueError: a NUL in the name
        raise InvalidInput(field, f"cannot be read: {getattr(fault, 'strerror', None) or fault}") from None


def read_stdin(field: str, *, limit: int) -> str:
    """Return all of stdin, which must be UTF-8 of at most `limit` bytes.

    Raises:
        InvalidInput: it is not; names `field`.
    """
    stream: BinaryIO = sys.stdin.buffer
    return _decoded(stream.read(limit + 1), field, limit)


def read_json(text: str, field: str, *, limit: int) -> Any:  # noqa: ANN401 - the type of a JSON value
    """Return the JSON value that `text` holds, by the strict rules of `domain.json_rules`.

    Raises:
        InvalidInput: it holds none; names `field`.
    """
    try:
        return JsonRules(limit).parse(text)
    except JsonRefused as fault:
        raise InvalidInput(field, str(fault), f"one strict JSON value of at most {limit} bytes") from None


def within(place: str, fault: InvalidInput) -> InvalidInput:
    """Return `fault` with its field placed in a file, as `place: field`."""
    return InvalidInput(f"{place}: {fault.field}", fault.problem, fault.limit)


def _decoded(raw: bytes, field: str, limit: int) -> str:
    if len(raw) > limit:
        raise InvalidInput(field, f"has more than {limit} bytes", f"at most {limit} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as fault:
        raise InvalidInput(field, f"is not UTF-8 at byte {fault.start}", "UTF-8 text") from None
