"""Words that read the same backwards: a tool made from two smaller ones, which are kinds of their own here."""

from __future__ import annotations

import re
from typing import Any

from toolwright.llm.offline.tasks.base import TaskScript

_WORD = r"[\"'“]?([^\W\d_]{1,100})[\"'”]?"
_FOLDING = re.compile(rf"\bthe word {_WORD} in (?:lower[ -]?case|small) letters\b", re.IGNORECASE)
_REVERSAL = re.compile(rf"\bthe word {_WORD} backwards\b", re.IGNORECASE)
_PALINDROME = re.compile(rf"\bthe word {_WORD} (?:is )?a palindrome\b", re.IGNORECASE)


def _script(kind: str, asked: re.Pattern[str], proposal: str) -> TaskScript:
    def read(question: str) -> dict[str, Any] | None:
        match = asked.search(question)
        return {"word": match[1]} if match else None

    def answer(question: str) -> str:
        match = asked.search(question)
        return _ANSWERS[kind](match[1]) if match else ""

    return TaskScript(
        kind=kind,
        recognises=lambda question: read(question) is not None,
        proposals=(proposal,),
        read=read,
        answer=answer,
    )


def _is_palindrome(word: str) -> str:
    # Letter by letter from both ends: another way than the tool's, on purpose.
    return (
        "yes" if all(left == right for left, right in zip(word.lower(), reversed(word.lower()), strict=True)) else "no"
    )


_ANSWERS = {"word_folding": str.lower, "word_reversal": lambda word: word[::-1], "palindromes": _is_palindrome}

_FOLDS = '''\
Python has a method for this.

```python
def {function}(word: str) -> str:
    """Return a word in small letters.

    Args:
        word: the word as it stands in the question, such as "Apple".
    """
    return word.lower()
```
'''

_REVERSES = '''\
A slice with a step of -1 does it.

```python
def {function}(word: str) -> str:
    """Return a word spelled backwards.

    Args:
        word: the word as it stands in the question, such as "drawer".
    """
    return word[::-1]
```
'''

_COMPARES = '''\
Both steps are there already as tools: small letters first, so that capitals do not matter, then the word backwards.

```python
from tools import lower_word, reverse_word


def {function}(word: str) -> str:
    """Tell whether a word reads the same backwards: "yes" or "no".

    Args:
        word: the word as it stands in the question, such as "Level".
    """
    folded = lower_word(word)
    return "yes" if reverse_word(folded) == folded else "no"
```
'''

SCRIPTS = (
    _script("word_folding", _FOLDING, _FOLDS),
    _script("word_reversal", _REVERSAL, _REVERSES),
    _script("palindromes", _PALINDROME, _COMPARES),
)
