"""Untrusted text for a person's eyes: what could act on a terminal, or deceive its reader, is shown as an escape.

Everything that comes from a tool, a model, a file or a server passes here before a person sees it.
"""

from __future__ import annotations

import unicodedata

# Cc: C0 and C1 (ESC, CSI …). Cf: bidi controls, zero-width and tag characters. Zl, Zp: line ends that only some
# programs honour. Cs cannot be encoded; Co and Cn have no agreed look, and may become controls.
_ACTIVE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_KEPT = frozenset("\n\t")


def shown(text: str, *, limit: int | None = None) -> str:
    """Return `text` with every character that could act or hide as an escape; line ends and tabs stay.

    Args:
        text: anything.
        limit: most characters of `text` to show; what is cut is counted at the end.
    """
    cut = text if limit is None or len(text) <= limit else text[:limit]
    safe = cut if cut.isascii() and cut.isprintable() else "".join(map(_shown_character, cut))
    return safe if cut is text else f"{safe}… ({len(text) - len(cut)} more characters)"


def shown_line(text: str, *, limit: int | None = None) -> str:
    """Return `shown(text)` on one line: line ends and tabs become escapes too."""
    return shown(text, limit=limit).replace("\n", "\\n").replace("\t", "\\t")


def acts(character: str) -> bool:
    """Whether a character could act on a terminal, or hide, or turn text around. Line ends and tabs do not."""
    return character not in _KEPT and unicodedata.category(character) in _ACTIVE


def _shown_character(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii") if acts(character) else character
