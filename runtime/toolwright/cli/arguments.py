"""The JSON object after `--args`."""

from __future__ import annotations

from pathlib import Path

from toolwright.cli.reading import read_json, read_text
from toolwright.domain.call import MAX_ARGUMENTS_BYTES
from toolwright.errors import InvalidInput


def read_arguments(given: str) -> str:
    """Return the JSON text of the arguments: `given` itself, or what the file in `@FILE` holds.

    The text is checked but passed on as it is, so that no number changes on the way.

    Raises:
        InvalidInput: it is no JSON object within the rules; names `--args` or the file.
    """
    field, text = "--args", given
    if given.startswith("@"):
        path = Path(given[1:])
        field, text = f"--args {given}", read_text(path, limit=MAX_ARGUMENTS_BYTES)
    if not isinstance(read_json(text, field, limit=MAX_ARGUMENTS_BYTES), dict):
        raise InvalidInput(field, "is no JSON object", 'keyword arguments such as {"words": ["b", "a"]}')
    return text
