"""What open models think aloud before they speak: no part of the reply, and never sent back to them."""

from __future__ import annotations

import re
from typing import Final

_OPENED: Final = re.compile(r"\s*<(think|thinking)>")
_CLOSED: Final = re.compile(r"</(?:think|thinking)>\s*")
_FENCES: Final = ("```", "~~~")


def spoken(text: str) -> str:
    """Return `text` from where the model speaks.

    A thought that was begun and never ended is all there is, so nothing is left of it. Some servers put the
    opening mark into the prompt, so an end without a beginning counts as well, unless code stands before it.
    """
    end = _CLOSED.search(text)
    if _OPENED.match(text):
        return text[end.end() :] if end else ""
    if end and not any(fence in text[: end.start()] for fence in _FENCES) and "<think" not in text[: end.start()]:
        return text[end.end() :]
    return text
