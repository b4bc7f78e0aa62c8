"""Numbers with given remainders (the Chinese remainder theorem)."""

from __future__ import annotations

import math
import re
from typing import Any

from toolwright.llm.offline.tasks.base import TaskScript
from toolwright.llm.offline.tasks.wording import NUMBER_WORDS, squeeze

# More digits or divisors than any sane question has would only make big integers slow.
_MAX_DIVISORS = 32
_DIGITS = r"\d{1,3}(?:,\d{3}){1,5}(?!\d)|\d{1,18}(?!\d)"
_NUMBER = re.compile(rf"(?<![\w.])(?:{_DIGITS}|(?:{'|'.join(NUMBER_WORDS)}|none|nothing)\b)", re.IGNORECASE)
_LIMIT = re.compile(
    rf"\b(no more than|not more than|at most|up to|fewer than|less than|under|below)\s+({_DIGITS})", re.IGNORECASE
)
_LEFT_OVER = re.compile(r"\b(?:left|leaves?|leaving|remain\w*|spare)\b", re.IGNORECASE)
_SHARED = re.compile(
    r"\b(?:divid\w*|shar\w*|split\w*|pack\w*|group\w*|rows?|piles?|stack\w*|deal\w*|sort\w*|laid|among|arrang\w*)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\b(?:when|if|once|after)\b", re.IGNORECASE)


def recognises(question: str) -> bool:
    """Whether things are shared out several times with some left over."""
    text = squeeze(question)
    return bool(_SHARED.search(text)) and len(_pairs(text)) > 1


def read(question: str) -> dict[str, Any] | None:
    """Return `divisors`, `remainders` and `limit`."""
    text = squeeze(question)
    pairs = _pairs(text)
    if not 1 < len(pairs) <= _MAX_DIVISORS or any(not 0 <= left < divisor for divisor, left in pairs):
        return None
    divisors = [divisor for divisor, _ in pairs]
    return {
        "divisors": divisors,
        "remainders": [left for _, left in pairs],
        "limit": _limit(text) or math.lcm(*divisors),
    }


def answer(question: str) -> str:
    """Return the number as decimal digits."""
    asked = read(question)
    if asked is None:
        return ""
    value, step = 0, 1
    for divisor, left in zip(asked["divisors"], asked["remainders"], strict=True):
        common = math.gcd(step, divisor)
        if (left - value) % common:
            return ""
        value += step * ((left - value) // common * pow(step // common, -1, divisor // common) % (divisor // common))
        step = math.lcm(step, divisor)
    return str(value) if value <= asked["limit"] else ""


def _limit(text: str) -> int | None:
    match = _LIMIT.search(text)
    if match is None:
        return None
    bound = int(match[2].replace(",", ""))
    return bound - 1 if match[1].lower() in {"fewer than", "less than", "under", "below"} else bound


def _pairs(text: str) -> list[tuple[int, int]]:
    """Return (divisor, remainder) of each clause that says what is left over."""
    pairs: list[tuple[int, int]] = []
    for clause in re.split(r"[;.?!]", _LIMIT.sub(" ", text, count=1)):
        if not _LEFT_OVER.search(clause):
            continue
        numbers = list(_NUMBER.finditer(clause))
        for first, second in zip(numbers[::2], numbers[1::2], strict=False):
            divisor, left = _value(first[0]), _value(second[0])
            # "leaves 2 when shared among 5" names the remainder first.
            if _CONDITION.search(clause, first.end(), second.start()):
                divisor, left = left, divisor
            pairs.append((divisor, left))
    return pairs


def _value(number: str) -> int:
    digits = number.replace(",", "")
    return int(digits) if digits.isdecimal() else NUMBER_WORDS.get(number.lower(), 0)


_RIGHT = '''\
The number is fixed modulo the least common multiple of the divisors, so I combine the congruences one
after the other instead of searching up to the limit. Divisors with a common factor are handled as well.

```python
import math


def {function}(divisors: list[int], remainders: list[int], limit: int) -> int:
    """Find the smallest non-negative number that leaves the given remainders.

    Args:
        divisors: the numbers of equal groups, each at least 1.
        remainders: what is left over for each divisor, in the same order.
        limit: the largest number allowed, inclusive.
    """
    if len(divisors) != len(remainders):
        raise ValueError("divisors and remainders differ in length")
    number, step = 0, 1
    for divisor, remainder in zip(divisors, remainders):
        common = math.gcd(step, divisor)
        gap = remainder - number
        if gap % common:
            raise ValueError(f"no number leaves {remainder} for {divisor} and fits the other conditions")
        reduced = divisor // common
        number += step * (gap // common * pow(step // common, -1, reduced) % reduced)
        step *= reduced
    if number > limit:
        raise ValueError(f"the smallest such number, {number}, is above the limit {limit}")
    return number
```

It returns an integer.
'''

SCRIPT = TaskScript(
    kind="chinese_remainder_theorem", recognises=recognises, proposals=(_RIGHT,), read=read, answer=answer
)
