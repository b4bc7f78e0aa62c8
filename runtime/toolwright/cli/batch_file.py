"""Calls of one tool as JSON Lines: read a line at a time, so that a stream of them may be endless."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from toolwright.cli.reading import read_json
from toolwright.domain.batch import BatchCall, check_request_id
from toolwright.domain.call import MAX_ARGUMENTS_BYTES
from toolwright.errors import InvalidInput

STDIN: Final = "-"
MAX_LINE_BYTES: Final = MAX_ARGUMENTS_BYTES + 1024
"""The largest arguments, and an id around them."""
_NAMED: Final = {"id", "arguments"}


def read_once(file: str) -> bool:
    """Return whether `file` can be read a single time only: stdin, a pipe as of `<(command)`, or a device."""
    if file == STDIN:
        return True
    try:
        mode = Path(file).stat().st_mode
    except (OSError, ValueError):  # whoever opens it says why
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def read_calls(tool: str, file: str) -> Iterator[BatchCall]:
    """Give the calls of `tool` in a file, or in stdin for `-`. A line is one of two objects; empty lines are skipped.

    - the arguments, as text: no number changes on the way. The line's number is the call's id.
    - `{"id": …, "arguments": {…}}`, with both and nothing else. The id is a text or a whole number.

    Raises:
        InvalidInput: the file cannot be read, or a line is neither; names the file and the line.
    """
    name = "stdin" if file == STDIN else file
    with _opened(file) as stream:
        number = 0
        while raw := stream.readline(MAX_LINE_BYTES + 2):
            number += 1
            place = f"{name}, line {number}"
            if len(raw.rstrip(b"\n")) > MAX_LINE_BYTES:
                raise InvalidInput(place, f"has more than {MAX_LINE_BYTES} bytes", f"at most {MAX_LINE_BYTES} bytes")
            if raw.strip():
                yield _call(tool, _text(raw, place), place, str(number))


def _call(tool: str, text: str, place: str, number: str) -> BatchCall:
    value = read_json(text, place, limit=MAX_LINE_BYTES)
    if not isinstance(value, dict):
        raise InvalidInput(place, "is no JSON object", 'arguments, or {"id": …, "arguments": {…}}')
    if value.keys() != _NAMED:
        return BatchCall(number, tool, arguments_json=text)
    if not isinstance(value["arguments"], dict):
        raise InvalidInput(
            f"{place}: arguments", "is no JSON object", 'keyword arguments such as {"words": ["b", "a"]}'
        )
    return BatchCall(_id(value["id"], place), tool, value["arguments"])


def _id(value: Any, place: str) -> str:  # noqa: ANN401 - the type of a JSON value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise InvalidInput(f"{place}: id", "is neither a text nor a whole number", "a text of 1 to 128 characters")
    try:
        return check_request_id(value)
    except InvalidInput as fault:
        raise InvalidInput(f"{place}: id", fault.problem, fault.limit) from None


def _text(raw: bytes, place: str) -> str:
    try:
        return raw.decode().strip()
    except UnicodeDecodeError as fault:
        raise InvalidInput(place, f"is not UTF-8 at byte {fault.start}", "UTF-8 text") from None


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == STDIN:
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as stream:
            yield stream
    except FileNotFoundError:
        raise InvalidInput(file, "there is no such file") from None
    except (OSError, ValueError) as fault:  # ValueError: a NUL in the name
        raise InvalidInput(file, f"cannot be read: {getattr(fault, 'strerror', None) or fault}") from None
