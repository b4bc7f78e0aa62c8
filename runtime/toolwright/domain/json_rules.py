"""Strict, bounded JSON: every byte that comes from a caller, a model or a container passes here.

Checked before the parser runs: size, UTF-8, depth, number of items, length of numbers. Refused: NaN
and Infinity, duplicate keys, lone surrogates, trailing data. Integers stay exact.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_DEPTH = 64
MAX_ITEMS = 100_000
MAX_NUMBER_CHARS = 400

# One pass over the text: strings are skipped as a whole, so brackets within them do not count. An
# unterminated string matches to the end, else each later quote would start another scan.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]|[-+0-9.eE]++', re.DOTALL)


class JsonRefused(ValueError):
    """The text is no JSON within the rules; the message says which one it breaks."""


@dataclass(frozen=True, slots=True)
class JsonRules:
    """Bounds for one text."""

    max_bytes: int
    max_depth: int = MAX_DEPTH
    max_items: int = MAX_ITEMS
    max_number_chars: int = MAX_NUMBER_CHARS

    def parse(self, text: str | bytes) -> Any:  # noqa: ANN401 - the type of a JSON value
        """Return the value.

        Raises:
            JsonRefused: a rule is broken, or it is no JSON.
        """
        decoded = self._decode(text)
        self._scan(decoded)
        try:
            value = json.loads(
                decoded, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite
            )
            if "\\u" in decoded:  # only an escape can bring a lone surrogate past strict UTF-8
                json.dumps(value, ensure_ascii=False).encode()
        except JsonRefused:
            raise
        except UnicodeEncodeError:
            raise JsonRefused("holds an escaped lone surrogate") from None
        except (ValueError, RecursionError) as fault:
            raise JsonRefused(f"is no JSON: {fault}") from None
        return value

    def _decode(self, text: str | bytes) -> str:
        try:
            raw = text.encode() if isinstance(text, str) else text
            if len(raw) > self.max_bytes:
                raise JsonRefused(f"has {len(raw)} bytes, more than {self.max_bytes}")
            decoded = raw.decode()
        except UnicodeError:
            raise JsonRefused("is not valid UTF-8") from None
        return decoded

    def _scan(self, text: str) -> None:
        depth = items = 0
        for match in _TOKEN.finditer(text):
            token = match.group()
            first = token[0]
            if first in "[{":
                depth += 1
                items += 1
                if depth > self.max_depth:
                    raise JsonRefused(f"is nested deeper than {self.max_depth} levels")
            elif first in "]}":
                depth -= 1
            elif first == ",":
                items += 1
            elif first != '"' and len(token) - (first == "-") > self.max_number_chars:
                raise JsonRefused(f"holds a number of more than {self.max_number_chars} characters")
            if items > self.max_items:
                raise JsonRefused(f"has more than {self.max_items} items")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # set.add is None: falsy on purpose
        raise JsonRefused(f"has the key {twice[:80]!r} twice")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise JsonRefused(f"holds {name}, which is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JsonRefused(f"holds {text[:40]}, which is too large for a number with a fraction or exponent")
    return value
