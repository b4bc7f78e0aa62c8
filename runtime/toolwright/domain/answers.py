"""What an answer is: its form for each kind, and when two of them are the same.

The rules are narrow on purpose. A result that has no form as an answer is refused, never guessed at:

- *choice*: one of the question's option lines, `(A) text`. Given as the letter, with or without brackets, in
  any case; or as the option's text: the same text, else the only one that differs in case alone. A
  number can only be an option's text: as an index it would leave open whether counting starts at 0 or 1.
  A bare letter that is one option's label and another's text is refused. Written as `(A)`.
- *number*: an integer, a float, or a string that holds one. Integers keep all digits. Booleans are no numbers.
- *text*: a string as it is, or a list of strings, joined by one space. Empty texts are no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.limits import MIB
from toolwright.domain.task import MAX_ANSWER_BYTES, AnswerKind, Example
from toolwright.errors import InvalidInput

MAX_DIGITS = 400

_RESULT = JsonRules(max_bytes=4 * MIB)
_OPTION = re.compile(r"^[ \t]*+\(([A-Za-z])\)(.*)$", re.MULTILINE)
_LABEL = re.compile(r"(?:\(([A-Za-z])\)|([A-Za-z]))\Z")
# The exponent is short, so that no number stands for more digits than it shows by orders of magnitude.
_NUMBER = re.compile(rf"[-+]?[0-9]{{1,{MAX_DIGITS}}}(?:\.[0-9]{{1,{MAX_DIGITS}}})?(?:[eE][-+]?[0-9]{{1,3}})?\Z")
_PADDED = re.compile(r"[-+]?0[0-9]")


class NoAnswer(ValueError):
    """The text has no form as an answer; the message says why and what would have one."""


def infer_kind(examples: Iterable[Example]) -> AnswerKind:
    """Return the narrowest kind that every example's answer fits.

    `CHOICE` asks for answers that are labels of option lines in their own questions. Digits with a leading zero
    (`007`) are taken for a text: as numbers they would equal `7`.
    """
    kept = list(examples)
    if kept and all(_is_label_of(example) for example in kept):
        return AnswerKind.CHOICE
    if kept and all(_looks_like_number(example.answer.strip()) for example in kept):
        return AnswerKind.NUMBER
    return AnswerKind.TEXT


def options_of(question: str) -> Mapping[str, str]:
    """Return the question's option lines: upper-case letter to text. The first of a letter counts."""
    options: dict[str, str] = {}
    for match in _OPTION.finditer(question):
        options.setdefault(match.group(1).upper(), _fold(match.group(2)))
    return options


def answer_from_result(kind: AnswerKind, result_json: str, question: str) -> str:
    """Return a tool's result in the form of an answer of `kind`.

    Raises:
        NoAnswer: it has no such form.
    """
    try:
        value = _RESULT.parse(result_json)
    except JsonRefused as refused:
        raise NoAnswer(f"the result {refused}") from None
    match kind:
        case AnswerKind.CHOICE:
            return _choice(value, question)
        case AnswerKind.NUMBER:
            return _number(value)
        case AnswerKind.TEXT:
            return _text(value)


def same_answer(kind: AnswerKind, expected: str, given: str, question: str) -> bool:
    """Return whether `given` is the right answer; a text that is no answer of `kind` never is."""
    try:
        match kind:
            case AnswerKind.CHOICE:
                return _choice(expected, question) == _choice(given, question)
            case AnswerKind.NUMBER:
                return Decimal(_number(expected)) == Decimal(_number(given))
            case AnswerKind.TEXT:
                return _fold(expected) == _fold(given)
    except NoAnswer:
        return False


def check_expected(kind: AnswerKind, examples: Iterable[Example]) -> None:
    """Check that each example's own answer is one of `kind`; a tool could never give it otherwise.

    Raises:
        InvalidInput: names the example.
    """
    for example in examples:
        if not same_answer(kind, example.answer, example.answer, example.question):
            raise InvalidInput(
                f"example {example.id[:80]!r}: answer", f"{example.answer[:80]!r} is no {kind.value}", _FORMS[kind]
            )


_FORMS = {
    AnswerKind.CHOICE: "the letter or the text of one of the question's option lines '(A) text'",
    AnswerKind.NUMBER: f"a number of at most {MAX_DIGITS} digits",
    AnswerKind.TEXT: "a text that is not empty, or a list of such texts",
}


def _choice(value: object, question: str) -> str:
    options = options_of(question)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _no_answer(AnswerKind.CHOICE, value)
    text = _fold(value) if isinstance(value, str) else str(value)
    by_text = _letters_of_text(text, options)
    label = _LABEL.match(text) if isinstance(value, str) else None
    if label is None:
        if len(by_text) == 1:
            return f"({by_text[0]})"
        raise _no_answer(AnswerKind.CHOICE, value, "is the text of several options" if by_text else "")
    letter = (label.group(1) or label.group(2)).upper()
    if label.group(2) and any(other != letter for other in by_text):
        raise _no_answer(AnswerKind.CHOICE, value, "is one option's letter and another's text")
    if options and letter not in options:
        raise _no_answer(AnswerKind.CHOICE, value)
    return f"({letter})"


def _letters_of_text(text: str, options: Mapping[str, str]) -> list[str]:
    same = [letter for letter, option in options.items() if option == text]
    return same or [letter for letter, option in options.items() if option.casefold() == text.casefold()]


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _no_answer(AnswerKind.NUMBER, value)
    text = value.strip() if isinstance(value, str) else str(value)
    if not _NUMBER.match(text):
        raise _no_answer(AnswerKind.NUMBER, value)
    return text


def _text(value: object) -> str:
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    if not isinstance(value, str) or not value.strip():
        raise _no_answer(AnswerKind.TEXT, value)
    if len(value.encode()) > MAX_ANSWER_BYTES:
        raise NoAnswer(f"the result is a text of more than {MAX_ANSWER_BYTES} bytes")
    return value


def _no_answer(kind: AnswerKind, value: object, why: str = "") -> NoAnswer:
    shown = repr(value[:80] if isinstance(value, str | list) else value)[:120]
    return NoAnswer(f"the result {shown} {why or f'is no {kind.value}'}; needed: {_FORMS[kind]}")


def _is_label_of(example: Example) -> bool:
    label = _LABEL.match(example.answer.strip())
    return label is not None and (label.group(1) or label.group(2)).upper() in options_of(example.question)


def _looks_like_number(text: str) -> bool:
    return _NUMBER.match(text) is not None and _PADDED.match(text) is None


def _fold(text: str) -> str:
    return " ".join(text.split())
