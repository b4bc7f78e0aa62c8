r"""Untrusted text on a terminal: what could act on the terminal, or deceive its reader, is shown as an escape.

Everything that comes from a tool, a model, a file or a server passes here before a person sees it.
JSON output needs no such care: it is ASCII, with every control character as a `\u` escape.
"""

from __future__ import annotations

import json
from typing import Any

from rich.text import Text

from toolwright.domain.shown import acts, shown


def literal(text: str, *, style: str = "", limit: int | None = None) -> Text:
    """Return `shown(text)` for Rich, which will find no markup in it."""
    return Text(shown(text, limit=limit), style=style)


def safe_json(text: str) -> str:
    r"""Return JSON text with what could act as a `\u` escape: harmless on a terminal, and still the same JSON."""
    return text if text.isascii() and text.isprintable() else "".join(map(_json_character, text))


def joined(*parts: Text) -> Text:
    """Return `parts` one after another, each in its own style. `+` would give all of them the first one's."""
    return Text.assemble(*parts)


def json_text(value: Any, *, indent: int | None = None) -> str:  # noqa: ANN401 - the type of a JSON value
    """Return `value` as JSON that is harmless on a terminal and has neither NaN nor Infinity.

    Raises:
        ValueError: `value` holds a number that JSON does not have.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, indent=indent)
    return text.replace("\x7f", "\\u007f")  # DEL is the one control character that is ASCII and needs no escape in JSON


def _json_character(character: str) -> str:
    # In JSON only strings can hold such characters, and there an escape means the same.
    if not acts(character):
        return character
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"
