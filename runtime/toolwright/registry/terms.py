"""Texts as search terms: the same for every database, so that each finds the same tools."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_QUERY_TERMS = 48
MAX_TEXT_CHARS = 16_384
"""Of one field; what is beyond says nothing more of what the tool is for."""
_MAX_TERM = 40
_LONG, _SHORT = 4, 3
_WORD = re.compile(r"[^\W\d_]{2,}")
_STOP = frozenset(
    [
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "did",
        "do",
        "does",
        "each",
        "every",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "let",
        "may",
        "more",
        "most",
        "must",
        "no",
        "not",
        "of",
        "on",
        "one",
        "or",
        "our",
        "out",
        "she",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "up",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "will",
        "with",
        "would",
        "you",
        "your",
        "following",
        "given",
        "please",
        "answer",
        "question",
    ]
)


def terms_of(text: str) -> list[str]:
    """Return the terms of `text`, in order and as often as they occur: words without their usual endings.

    Numbers are left out: they tell one question of a kind from another, and not the kind.
    """
    words = (match[0].casefold() for match in _WORD.finditer(text[:MAX_TEXT_CHARS]))
    return [_stem(word)[:_MAX_TERM] for word in words if word not in _STOP]


def query_terms(text: str) -> list[str]:
    """Return the first `MAX_QUERY_TERMS` different terms of `text`."""
    return list(dict.fromkeys(terms_of(text)))[:MAX_QUERY_TERMS]


def join_terms(texts: Iterable[str]) -> str:
    """Return the terms of `texts` with spaces between them, as a database indexes them."""
    return " ".join(term for text in texts for term in terms_of(text))


def _stem(word: str) -> str:
    if len(word) > _LONG:
        for ending in ("ing", "ed", "es"):
            if word.endswith(ending) and len(word) - len(ending) >= _SHORT:
                word = word[: -len(ending)]
                break
        else:
            if word.endswith("s") and not word.endswith("ss"):
                word = word[:-1]
    return word[:-1] if len(word) > _SHORT and word.endswith("e") else word
