"""Closing the brackets that a sequence leaves open (Dyck languages)."""

from __future__ import annotations

import re
from typing import Any

from toolwright.llm.offline.tasks.base import TaskScript

_CLOSERS = {"(": ")", "[": "]", "{": "}", "<": ">"}
# Far more than anyone asks for; the solver below takes quadratic time.
_MAX_BRACKETS = 4_000
_RUN = re.compile(r"[()\[\]{}<>](?:\s*[()\[\]{}<>])*")
_WANTED = re.compile(r"\b(?:clos(?:e|es|ed|ing)|complet\w*|balanc\w*)\b", re.IGNORECASE)
_SUBJECT = re.compile(r"\b(?:bracket|parenthes|sequence)", re.IGNORECASE)


def recognises(question: str) -> bool:
    """Whether brackets are shown that have to be closed."""
    return bool(_WANTED.search(question)) and bool(_SUBJECT.search(question)) and _sequence(question) is not None


def read(question: str) -> dict[str, Any] | None:
    """Return `sequence`: the brackets, separated by spaces."""
    sequence = _sequence(question)
    return None if sequence is None else {"sequence": " ".join(sequence)}


def answer(question: str) -> str:
    """Return the missing closing brackets, separated by spaces."""
    rest = "".join(_sequence(question) or "")
    # Cancelling innermost pairs until none is left needs no stack: another way than the tool's, on purpose.
    length = -1
    while length != len(rest):
        length = len(rest)
        for opener, closer in _CLOSERS.items():
            rest = rest.replace(opener + closer, "")
    if not _CLOSERS.keys() >= set(rest):
        return ""
    return " ".join(_CLOSERS[bracket] for bracket in reversed(rest))


def _sequence(question: str) -> str | None:
    """Return the longest run of brackets, the last one if several are; None if the text has none."""
    runs = ["".join(match[0].split()) for match in _RUN.finditer(question)]
    longest = max(reversed(runs), key=len, default="")
    return longest if 0 < len(longest) <= _MAX_BRACKETS else None


_CRASHES = '''\
A stack does it: push the closing partner of each opening bracket, pop for each closing one, and what
remains, read from the top, closes the sequence.

```python
def {function}(sequence: str) -> str:
    """Return the closing brackets that complete a sequence of brackets.

    Args:
        sequence: the brackets so far; white space between them does not matter.
    """
    partners = {"(": ")", "[": "]", "{": "}"}
    expected: list[str] = []
    for bracket in "".join(sequence.split()):
        if expected and bracket == expected[-1]:
            expected.pop()
        else:
            expected.append(partners[bracket])
    return " ".join(reversed(expected))
```
'''

_RIGHT = '''\
The lookup failed because angle brackets were missing from the table of partners. With them added, and with
a clear error for a bracket that closes nothing, the function reads:

```python
def {function}(sequence: str) -> str:
    """Return the closing brackets that complete a sequence of brackets, separated by spaces.

    Args:
        sequence: the brackets so far, of the kinds (), [], {} and <>; white space does not matter.
    """
    partners = {"(": ")", "[": "]", "{": "}", "<": ">"}
    expected: list[str] = []
    for position, bracket in enumerate("".join(sequence.split()), start=1):
        if bracket in partners:
            expected.append(partners[bracket])
        elif expected and bracket == expected[-1]:
            expected.pop()
        else:
            raise ValueError(f"bracket {position}, {bracket!r}, closes nothing")
    return " ".join(reversed(expected))
```
'''

SCRIPT = TaskScript(
    kind="dyck_languages", recognises=recognises, proposals=(_CRASHES, _RIGHT), read=read, answer=answer
)
