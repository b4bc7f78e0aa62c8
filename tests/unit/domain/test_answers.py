"""Whether an answer is right must be the same question for every tool, model and person."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.domain.answers import (
    NoAnswer,
    answer_from_result,
    check_expected,
    infer_kind,
    options_of,
    same_answer,
)
from toolwright.domain.task import AnswerKind, Example
from toolwright.errors import InvalidInput

CHOICE, NUMBER, TEXT = AnswerKind.CHOICE, AnswerKind.NUMBER, AnswerKind.TEXT
QUESTION = "Who holds the ball?\nOptions:\n(A) Ann\n(B) Bob Stone\n(C) Cy"


def example(answer: str, question: str = QUESTION) -> Example:
    """Return an example with `answer`."""
    return Example("one", question, answer)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (["(A)", "B", "c"], CHOICE),
        (["(A)", "(D)"], TEXT),  # there is no option D
        (["1", "-2.5", "3e2"], NUMBER),
        (["1", "two"], TEXT),
        (["007", "1"], TEXT),
        (["1,000"], TEXT),
        (["٣"], TEXT),
        (["nan"], TEXT),
        (["] ]"], TEXT),
        (["9" * 400], NUMBER),
        (["9" * 401], TEXT),
    ],
)
def test_kind_is_the_narrowest_that_fits_all(answers: list[str], kind: AnswerKind) -> None:
    """One example that does not fit widens the kind."""
    assert infer_kind(example(answer) for answer in answers) is kind


def test_kind_of_no_examples_is_text() -> None:
    """With nothing to go by, the widest kind is right."""
    assert infer_kind([]) is TEXT


def test_options_are_read_line_by_line() -> None:
    """A bracketed letter within a line is no option."""
    assert options_of("Is (X) one?\n (a)  two  words \r\n(B)") == {"A": "two words", "B": ""}


@pytest.mark.parametrize("result", ['"(B)"', '"b"', '" B "', '"Bob Stone"', '"bob  stone"', '"(b)"'])
def test_choice_is_a_letter_or_an_options_text(result: str) -> None:
    """Every accepted form of a choice is written as the bracketed capital."""
    assert answer_from_result(CHOICE, result, QUESTION) == "(B)"


@pytest.mark.parametrize(
    "result", ['"Bob"', '"D"', '"(B"', '"B or C"', "1", "0", "true", "null", '["B"]', '{"answer":"B"}', '""']
)
def test_choice_is_never_guessed(result: str) -> None:
    """Parts of an option's text, unknown letters and indices are refused."""
    with pytest.raises(NoAnswer):
        answer_from_result(CHOICE, result, QUESTION)


def test_choice_by_text_must_be_unique() -> None:
    """A text that two options share names neither."""
    with pytest.raises(NoAnswer, match="several"):
        answer_from_result(CHOICE, '"RED"', "(A) red\n(B) Red")
    assert answer_from_result(CHOICE, '"Red"', "(A) red\n(B) Red") == "(B)"


def test_choice_refuses_a_letter_that_is_also_a_text() -> None:
    """'B' may mean option B or the option that reads 'B'; '(B)' means the label."""
    question = "Which letter comes first?\n(A) B\n(B) A\n(C) C"
    with pytest.raises(NoAnswer, match="letter and another's text"):
        answer_from_result(CHOICE, '"B"', question)
    assert answer_from_result(CHOICE, '"(B)"', question) == "(B)"
    assert answer_from_result(CHOICE, '"C"', question) == "(C)"


def test_choice_by_number_is_the_options_text() -> None:
    """A numeric result picks the option that reads so, never the option at that place."""
    question = "How many?\n(A) 3\n(B) 1\n(C) 2.5"
    assert answer_from_result(CHOICE, "1", question) == "(B)"
    assert answer_from_result(CHOICE, "2.5", question) == "(C)"
    with pytest.raises(NoAnswer):
        answer_from_result(CHOICE, "2", question)


def test_choice_takes_no_boolean() -> None:
    """Whether `true` means an option that reads 'True' would be a guess."""
    with pytest.raises(NoAnswer):
        answer_from_result(CHOICE, "true", "Is it?\n(A) True\n(B) False")


def test_choice_without_option_lines_takes_letters_only() -> None:
    """Where the question shows no options, a letter cannot be checked and a text means nothing."""
    assert answer_from_result(CHOICE, '"d"', "Pick one.") == "(D)"
    with pytest.raises(NoAnswer):
        answer_from_result(CHOICE, '"Dan"', "Pick one.")


@given(st.integers(min_value=-(10**399) + 1, max_value=10**400 - 1))
def test_integers_stay_exact(value: int) -> None:
    """All digits of an integer reach the answer, and one more or less is another answer."""
    answer = answer_from_result(NUMBER, json.dumps(value), "")
    assert int(answer) == value
    assert same_answer(NUMBER, str(value), answer, "")
    assert same_answer(NUMBER, str(value), str(value + 1)[:400], "") is (str(value) == str(value + 1)[:400])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_as_they_were(value: float) -> None:
    """A float's answer is the number the tool returned."""
    assert float(answer_from_result(NUMBER, json.dumps(value), "")) == value


@pytest.mark.parametrize(
    ("expected", "given_", "same"),
    [
        ("42", "42.0", True),
        ("42", " 42 ", True),
        ("1e2", "100", True),
        ("0.3", "0.30000000000000004", False),
        ("-0", "0", True),
        ("42", "forty-two", False),
        ("9007199254740993", "9007199254740992", False),
    ],
)
def test_numbers_are_compared_by_value(expected: str, given_: str, *, same: bool) -> None:
    """Equality is exact and does not depend on how the number is written."""
    assert same_answer(NUMBER, expected, given_, "") is same


@pytest.mark.parametrize("result", ["true", "null", '"NaN"', '"1/2"', "[1]", '"1_000"', "NaN", "1e400", '"1e9999"'])
def test_what_is_no_number_is_refused(result: str) -> None:
    """Booleans, NaN, fractions and lists are no numbers."""
    with pytest.raises(NoAnswer):
        answer_from_result(NUMBER, result, "")


def test_texts_and_lists_of_texts() -> None:
    """A string stays as it is; a list of strings is joined by one space."""
    assert answer_from_result(TEXT, '" a  b "', "") == " a  b "
    assert answer_from_result(TEXT, '["] ]", ">"]', "") == "] ] >"
    assert same_answer(TEXT, "a b", " a \n\tb ", "")
    assert not same_answer(TEXT, "a b", "A b", "")
    assert not same_answer(TEXT, "a b", "ab", "")


@pytest.mark.parametrize(
    "result", ["1", "true", "null", '""', '" "', "[]", '["a", 1]', '{"a":"b"}', "not json", '"\\ud800"']
)
def test_what_is_no_text_is_refused(result: str) -> None:
    """Other types have no single text form, and an empty text answers nothing."""
    with pytest.raises(NoAnswer):
        answer_from_result(TEXT, result, "")


def test_over_long_text_is_refused() -> None:
    """An answer is bounded as examples' answers are."""
    with pytest.raises(NoAnswer, match="16384"):
        answer_from_result(TEXT, json.dumps("x" * 16_385), "")


@given(st.text(), st.text(), st.sampled_from(list(AnswerKind)))
def test_comparing_never_raises(expected: str, given_: str, kind: AnswerKind) -> None:
    """Any two texts can be compared; what is no answer is simply not the right one."""
    assert same_answer(kind, expected, given_, QUESTION) is same_answer(kind, given_, expected, QUESTION)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_a_result_is_an_answer_or_refused(value: object) -> None:
    """Whatever a tool returns, the result is an answer that equals itself, or a refusal of bounded length."""
    for kind in AnswerKind:
        answer, refusal = "", ""
        try:
            answer = answer_from_result(kind, json.dumps(value), QUESTION)
        except NoAnswer as refused:
            refusal = str(refused)
        assert len(refusal) < 600
        assert refusal or same_answer(kind, answer, answer, QUESTION)


def test_examples_must_have_answers_of_their_kind() -> None:
    """A task whose own answers can never be matched is refused before anything is spent on it."""
    check_expected(CHOICE, [example("b"), example("Ann")])
    with pytest.raises(InvalidInput, match="'one': answer: 'x' is no number"):
        check_expected(NUMBER, [example("1"), example("x")])


def test_option_lines_are_read_in_linear_time() -> None:
    """A question of the largest size made of blanks does not hold the reader up."""
    start = time.perf_counter()
    options_of(("(A) x" + " " * 32_000 + "y") * 2 + "\n" + " " * 1_000)
    assert time.perf_counter() - start < 0.1
