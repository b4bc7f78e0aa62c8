"""Each kind of question is read into arguments, in several wordings, and left alone when it asks something else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolwright.llm.offline.tasks import TASKS, brackets, meetings, orders, remainders, script_for, swaps, words


@pytest.mark.parametrize(
    ("question", "divisors", "left", "limit"),
    [
        (
            "A baker has at most 60 rolls. Packed into boxes of 4, 3 remain; packed into boxes of 15, 7 remain.",
            [4, 15],
            [3, 7],
            60,
        ),
        (
            "Fewer than 1,000 coins are shared among five pirates, leaving two.\nShared among 7 they leave 4.",
            [5, 7],
            [2, 4],
            999,
        ),
        ("One is left when they are dealt to 6 people; none are left when dealt to 35.", [6, 35], [1, 0], 210),
    ],
)
def test_remainders_are_read(question: str, divisors: list[int], left: list[int], limit: int) -> None:
    """Divisors and remainders come in the question's order, in either order within a clause; a limit is optional."""
    assert remainders.read(question) == {"divisors": divisors, "remainders": left, "limit": limit}


@pytest.mark.parametrize(
    "question",
    [
        "Of 12 plums divided among 4 children, how many are left?",
        "Divide 20 by 3. What remains?",
        "Shared among 4, 9 are left; shared among 5, 1 is left.",
    ],
)
def test_other_divisions_are_not_read(question: str) -> None:
    """One clause is no system of remainders, and a remainder is below its divisor."""
    assert remainders.read(question) is None


@pytest.mark.parametrize(
    ("question", "sequence"),
    [
        ("Complete the sequence: ([ ] {", "( [ ] {"),
        ("Close the brackets (all of them, please) of this text:\n\n  <  [\n(", "< [ ("),
        ("Which brackets close this?  {", "{"),
    ],
)
def test_brackets_are_read(question: str, sequence: str) -> None:
    """The longest run of brackets is the sequence, whatever its spacing; brackets of the prose are not."""
    assert brackets.read(question) == {"sequence": sequence}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Sort these words alphabetically: pine oak fir", ["pine", "oak", "fir"]),
        ("Put the list into alphabetical order: pine, oak, and fir.", ["pine", "oak", "fir"]),
        ("Alphabetise the words:\n\nit's  r&d\tzoo-keeper", ["it's", "r&d", "zoo-keeper"]),
        ("Sort alphabetically: Words: sand and rock", ["sand", "and", "rock"]),
    ],
)
def test_words_are_read(question: str, expected: list[str]) -> None:
    """Commas and a final "and" belong to the sentence, apostrophes and ampersands to the words."""
    assert words.read(question) == {"words": expected}


@pytest.mark.parametrize(
    "question",
    ["Sort these words in reverse alphabetical order: b a", "Sort the words alphabetically", "Sort alphabetically: "],
)
def test_other_sorting_is_not_read(question: str) -> None:
    """Backwards, or with nothing to sort, is another question."""
    assert words.read(question) is None


@pytest.mark.parametrize(
    ("length", "minutes"),
    [
        ("a 1.5-hour meeting", 90),
        ("a meeting of half an hour", 30),
        ("a half-hour call", 30),
        ("an hour and a half to meet", 90),
        ("one and a half hours together", 90),
        ("two hours together", 120),
        ("a 25-minute call", 25),
        ("a meeting of 1 hour 20 minutes", 80),
    ],
)
def test_meeting_lengths_are_read(length: str, minutes: int) -> None:
    """Lengths in hours, minutes and words are minutes."""
    read = meetings.read(f"We need {length}.\nJo is free 8:00 to 9:30, 10.15-11.00\nMax is free: 08:30 \u2013 12:00")

    assert read == {
        "duration_minutes": minutes,
        "calendars": [[["08:00", "09:30"], ["10:15", "11:00"]], [["08:30", "12:00"]]],
    }


def test_calendars_in_one_line_are_told_apart() -> None:
    """Where all stand in one line, a sentence or clause is a person's calendar."""
    read = meetings.read("An hour to meet: Jo is free 09:00-11:00; Max is free 10:00-12:00. When?")

    assert read is not None
    assert read["calendars"] == [[["09:00", "11:00"]], [["10:00", "12:00"]]]


def test_a_person_without_free_time_counts() -> None:
    """An empty calendar stays in, else the others would meet without that person."""
    question = "Find a 1-hour slot.\nJo's availability: 09:00 - 12:00\nMax's availability: \nSue is free 09:00 - 10:00"
    read = meetings.read(question)

    assert read is not None
    assert read["calendars"] == [[["09:00", "12:00"]], [], [["09:00", "10:00"]]]
    assert meetings.answer(question) == meetings.NO_SLOT


@pytest.mark.parametrize(
    "question",
    [
        "A 1-hour meeting.\nJo is busy 09:00 - 11:00\nMax is busy 10:00 - 12:00",
        "What is the latest 1-hour slot to meet?\nJo: 09:00 - 11:00\nMax: 10:00 - 12:00",
        "A meeting.\nJo: 09:00 - 11:00\nMax: 10:00 - 12:00",
        "A meeting of three quarters of an hour.\nJo: 09:00 - 11:00\nMax: 10:00 - 12:00",
        "A 1-hour meeting.\nJo: 9:00 am - 1:00 pm\nMax: 10:00 am - 2:00 pm",
        "A 1-hour meeting for Jo alone: 09:00 - 11:00",
    ],
)
def test_other_calendars_are_not_read(question: str) -> None:
    """Busy times, another wish, no length, other clocks or one person would be answered wrongly, so they are not."""
    assert meetings.read(question) is None


def test_swaps_are_read() -> None:
    """Holdings come from the options' wording, swaps in either phrase, and the person from the last sentence."""
    question = (
        "Ana, Ben and Cy own a boat each: Ana steers the red boat, Ben steers the Boat of Ra, and Cy steers the boat.\n"
        "First, Ana and Cy quickly swap boats. Then Ben trades with Ana. In the end, Ben steers the\n"
        "Options:\n(A) red boat\n(B) Boat of Ra\n(C) boat"
    )

    assert swaps.read(question) == {
        "holdings": [["Ana", "red boat"], ["Ben", "Boat of Ra"], ["Cy", "boat"]],
        "swaps": [["Ana", "Cy"], ["Ben", "Ana"]],
        "person": "Ben",
    }
    assert swaps.answer(question) == "(C)"


@pytest.mark.parametrize(
    "question",
    [
        "Ana has tea and Ben has milk. Ana and Ben swap drinks. Ana and Zoe swap drinks. Ana has\n(A) tea\n(B) milk",
        "Ana has tea and Ben has milk. Ana and Ben swap drinks. Ben and Ana swap drinks. Ana has",
        "Ana has tea and Ben has milk. Ana and Ben swap drinks. Who has tea?\n(A) Ana\n(B) Ben",
    ],
)
def test_other_swaps_are_not_read(question: str) -> None:
    """A stranger, no options, or the question who holds something leave the question unread."""
    assert swaps.read(question) is None


def test_clues_are_read_for_one_direction() -> None:
    """Comparisons in both directions become "before", positions count from the first or from the last."""
    read = orders.read(
        "On a rack hang four coats: a red coat, a blue coat, an old coat and a coat. The blue coat is to the right of "
        "the red coat. The old coat is the second from the right. The coat is to the left of the red coat.\n"
        "(A) The coat is the leftmost.\n(B) The red coat is to the left of the coat."
    )

    assert read == {
        "objects": ["red coat", "blue coat", "old coat", "coat"],
        "clues": [
            {"subject": "red coat", "position": None, "before": "blue coat"},
            {"subject": "old coat", "position": -2, "before": None},
            {"subject": "coat", "position": None, "before": "red coat"},
        ],
        "options": [
            {"subject": "coat", "position": 1, "before": None},
            {"subject": "red coat", "position": None, "before": "coat"},
        ],
    }


def test_bare_objects_are_options_where_the_question_names_the_place() -> None:
    """A question such as "Which is the tallest?" with objects to choose from asks for statements on that place."""
    question = (
        "Three masts: Ada, Bo, Cleo. Ada is taller than Bo. Bo is taller than Cleo. Which is the tallest?\n"
        "(A) Bo\n(B) Ada\n(C) Cleo"
    )
    read = orders.read(question)

    assert read is not None
    assert [option["position"] for option in read["options"]] == [-1, -1, -1]
    assert orders.answer(question) == "(B)"


@pytest.mark.parametrize(
    "clue",
    ["Ada is not older than Bo.", "Ada is directly before Bo.", "Ada is between Bo and Cleo.", "Ada knows Bo."],
)
def test_clues_of_another_form_leave_the_question_unread(clue: str) -> None:
    """A clue that the arguments cannot say would give a wrong answer if it were dropped."""
    question = f"Three ships: Ada, Bo, Cleo. Bo is older than Cleo. {clue}\n(A) Ada is the oldest\n(B) Bo is the oldest"

    assert orders.read(question) is None


def test_letters_that_only_fold_alike_name_nothing() -> None:
    """A long s matches "s" when case is ignored; such a clue is unread, not an error."""
    clues = "\u017feal is older than Bo. Bo is older than Cleo."
    question = f"Three ships: Seal, Bo, Cleo. {clues}\n(A) Bo is the oldest\n(B) Seal is the oldest"

    assert orders.recognises(question) is False


_FRAGMENTS = [
    *(
        "Ana",
        "Ben",
        " and ",
        "swap",
        "trades with",
        "has",
        ": ",
        ", ",
        ". ",
        "; ",
        "?",
        "\n",
        "(A) ",
        "(B) ",
        "Options:",
    ),
    *(
        "older than",
        "second",
        "-to-last",
        "leftmost",
        "the ",
        "\u017fecond",
        "İ",
        "0",
        "7",
        "99999999999999999999",
        "left",
    ),
    *("among", "none", "sort", "alphabetical", "words:", "09:00 - 10:30", "29:99", "half an hour", "meeting", "free"),
    *("(", "[", "<", "}", ">", "complete", "sequence", "\x00", "٣", "\u2028"),
]


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(_FRAGMENTS), max_size=60).map("".join)))
def test_no_text_breaks_a_reader(question: str) -> None:
    """Whatever is asked, scripts answer without an exception, and at most one claims it."""
    claims = [script.kind for script in TASKS if script.recognises(question)]
    for script in TASKS:
        assert isinstance(script.answer(question), str)
        assert script.read(question) is None or isinstance(script.read(question), dict)

    assert len(claims) <= 1


@pytest.mark.parametrize(
    "unit",
    [
        "A-",
        "(",
        "[]",
        "Ana and Ben swap ",
        "09:00 - 10:00\n",
        "1 ",
        "left 3 among 5; ",
        ": a, b, c, d. ",
        " ",
        "older ",
    ],
)
def test_long_texts_are_read_in_time(unit: str) -> None:
    """A question of the largest size that repeats what readers look for takes no long time."""
    question = "Complete the sequence and sort alphabetically the words: " + unit * (65_000 // len(unit))
    started = time.perf_counter()
    script_for(question)
    for script in TASKS:
        script.answer(question)

    assert time.perf_counter() - started < 10
