"""Words in alphabetical order."""

from __future__ import annotations

import re
from typing import Any

from toolwright.llm.offline.tasks.base import TaskScript

_ALPHABETICAL = re.compile(r"\b(?:alphabetic\w*|alphabeti[sz]e\w*|dictionary order|lexicographic\w*)", re.IGNORECASE)
_WORDS = re.compile(r"\b(?:words?|terms|list|names)\b", re.IGNORECASE)
_BACKWARDS = re.compile(r"\b(?:reverse\w*|descending|backwards?|z to a)\b", re.IGNORECASE)
# Punctuation of the sentence around a word; apostrophes and ampersands belong to words.
_AROUND = ',;."“”'


def recognises(question: str) -> bool:
    """Whether words are to be put into alphabetical order, forwards."""
    instruction = question.partition(":")[0]
    return bool(_ALPHABETICAL.search(instruction)) and bool(_WORDS.search(question)) and read(question) is not None


def read(question: str) -> dict[str, Any] | None:
    """Return `words` as they stand in the question."""
    instruction, colon, rest = question.partition(":")
    if not colon or _BACKWARDS.search(instruction):
        return None
    rest = re.sub(r"^\s*(?:list|words)\s*:", "", rest, flags=re.IGNORECASE)
    listed = "," in rest
    words = [word.strip(_AROUND) for word in rest.split()]
    if listed and len(words) > 1 and words[-2].lower() == "and":
        del words[-2]
    return {"words": [word for word in words if word]} if any(words) else None


def answer(question: str) -> str:
    """Return the words in order, separated by spaces."""
    asked = read(question)
    return "" if asked is None else " ".join(sorted(asked["words"], key=lambda word: (word.lower(), word)))


_WRONG = '''\
Words are ordered by their first letter; where two words share it, the next letter decides. Both go into
the sort key.

```python
def {function}(words: list[str]) -> str:
    """Sort words alphabetically.

    Args:
        words: the words in any order.
    """
    return " ".join(sorted(words, key=lambda word: word[:2].lower()))
```
'''

_RIGHT = '''\
Two letters are not enough: words may agree in longer beginnings. The whole word has to be the key.

```python
def {function}(words: list[str]) -> str:
    """Sort words alphabetically and join them by single spaces.

    Args:
        words: the words in any order; a word that occurs twice stays twice.
    """
    return " ".join(sorted(words, key=lambda word: (word.lower(), word)))
```
'''

SCRIPT = TaskScript(kind="word_sorting", recognises=recognises, proposals=(_WRONG, _RIGHT), read=read, answer=answer)
