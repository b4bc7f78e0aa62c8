"""Questions with answers, as files hold them: one record, or JSON Lines of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from toolwright.cli.reading import read_json, read_text, within
from toolwright.domain.task import Example
from toolwright.errors import InvalidInput

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024
MAX_ID_CHARS = 200


def read_json_lines(path: Path) -> tuple[Example, ...]:
    """Return the examples of a file of JSON Lines: {"id", "question", "answer"}; other keys are ignored.

    A missing id becomes the line's number. Empty lines are skipped.

    Raises:
        InvalidInput: names the file, the line, the field, and the limit.
    """
    text = read_text(path, limit=MAX_FILE_BYTES)
    lines_by_id: dict[str, int] = {}
    examples = []
    for number, line in _filled_lines(text):
        place = f"{path}, line {number}"
        example = example_from(read_json(line, place, limit=MAX_LINE_BYTES), place, default_id=str(number))
        if (first := lines_by_id.setdefault(example.id, number)) != number:
            raise InvalidInput(f"{place}: id", f"{example.id!r} is the id of line {first} too", "unique ids")
        examples.append(example)
    if not examples:
        raise InvalidInput(str(path), "holds no examples", 'at least one line of {"id", "question", "answer"}')
    return tuple(examples)


def example_from(value: Any, place: str, *, default_id: str) -> Example:  # noqa: ANN401 - the type of a JSON value
    """Return the example in a parsed record.

    Raises:
        InvalidInput: a field is missing or off; names `place` and the field.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput(place, f"is {_kind(value)}", 'an object with "question" and "answer"')
    name = _text(value, "id", place, default=default_id)
    if not 0 < len(name) <= MAX_ID_CHARS:
        raise InvalidInput(f"{place}: id", f"has {len(name)} characters", f"1 to {MAX_ID_CHARS} characters")
    question, answer = _text(value, "question", place), _text(value, "answer", place)
    try:
        return Example(name, question, answer)
    except InvalidInput as fault:
        raise within(place, fault) from None


def _filled_lines(text: str) -> Iterator[tuple[int, str]]:
    # Not splitlines(): a U+2028 within a string would end a line there.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _text(record: Mapping[str, Any], field: str, place: str, *, default: str | None = None) -> str:
    value = record.get(field, default)
    if value is None:
        raise InvalidInput(f"{place}: {field}", "is missing", "a text")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # `answer = 42` means the text "42"
    if not isinstance(value, str):
        raise InvalidInput(f"{place}: {field}", f"is {_kind(value)}", "a text or a whole number")
    return value


def _kind(value: object) -> str:
    names: dict[type, str] = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        type(None): "null",
    }
    return names.get(type(value), f"of the type {type(value).__name__}")
