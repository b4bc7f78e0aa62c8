"""Strict, bounded JSON: every rule, and that hostile text costs little and raises one thing only."""

from __future__ import annotations

import json
import math
import pickle
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toolwright.domain.json_rules import MAX_DEPTH, MAX_ITEMS, MAX_NUMBER_CHARS, JsonRefused, JsonRules

pytestmark = pytest.mark.unit

RULES = JsonRules(max_bytes=10_000_000)
SMALL = JsonRules(max_bytes=60, max_depth=3, max_items=5, max_number_chars=4)

REFUSED: dict[str, tuple[str | bytes, str]] = {
    # PR-10: not UTF-8
    "invalid UTF-8": (b'"\xff"', "UTF-8"),
    "overlong UTF-8": (b'"\xc0\xaf"', "UTF-8"),
    "surrogate in UTF-8": (b'"\xed\xa0\x80"', "UTF-8"),
    "cut UTF-8": (b'"\xf0\x9f\x98', "UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf1", "no JSON"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "UTF-8"),
    "UTF-16 without mark": ('"a"'.encode("utf-16-le"), "no JSON"),
    # PR-11: lone surrogates
    "escaped lone surrogate": (b'"\\ud800"', "lone surrogate"),
    "escaped lone low surrogate": (b'["\\udfff"]', "lone surrogate"),
    "lone surrogate in a key": (b'{"\\ud800": 1}', "lone surrogate"),
    "pair in the wrong order": (b'"\\udc00\\ud800"', "lone surrogate"),
    "lone surrogate in a text": ('"\ud800"', "UTF-8"),
    # PR-12: what is no finite number
    "NaN": ("NaN", "NaN"),
    "Infinity": ("[Infinity]", "Infinity"),
    "minus Infinity": ('{"a": -Infinity}', "-Infinity"),
    "1e999": ("1e999", "too large"),
    "-1e999": ("-1e999", "too large"),
    "1e400 spelt out": ("9" * 310 + ".0", "too large"),
    # PR-13: numbers too long to be cheap
    "401 digits": ("1" * 401, "400 characters"),
    "10**5 digits": ("-" + "9" * 100_000, "400 characters"),
    "10**5 fraction digits": ("0." + "1" * 100_000, "400 characters"),
    "long exponent": ("1e" + "0" * 1_000 + "1", "400 characters"),
    # PR-14: shape
    "100,000 deep": ("[" * 100_000 + "]" * 100_000, "deeper than 64"),
    "65 deep": ('{"a":' * 65 + "1" + "}" * 65, "deeper than 64"),
    "deep and unclosed": ("[" * 65, "deeper than 64"),
    "deep after too many ends": ("]" * 500 + "[" * 1_000, "no JSON|deeper"),
    "100,001 items": ("[" + "1," * 100_000 + "1]", "100000 items"),
    "10**6 keys": ("{" + ",".join(f'"{n}":1' for n in range(1_000_000 // 4)) + "}", "100000 items"),
    "bytes": (b" " * 10_000_001, "10000001 bytes"),
    # PR-15: keys
    "duplicate keys": ('{"a": 1, "b": 2, "a": 1}', "'a' twice"),
    "duplicate keys, spelt otherwise": ('{"a": 1, "\\u0061": 2}', "'a' twice"),
    "duplicate keys far inside": ('[[{"x": {"k": 1, "k": 2}}]]', "'k' twice"),
    "a long duplicate key": ('{"' + "k" * 9_000 + '":1,"' + "k" * 9_000 + '":1}', "twice"),
    "a number as key": ("{1: 2}", "no JSON"),
    # no JSON
    "nothing": ("", "no JSON"),
    "blank": (" \n", "no JSON"),
    "two values": ("1 2", "no JSON"),
    "trailing comma": ("[1,]", "no JSON"),
    "comment": ("/* */ 1", "no JSON"),
    "single quotes": ("{'a': 1}", "no JSON"),
    "control character in a string": ('"a\nb"', "no JSON"),
    "NUL after the value": ("1\x00", "no JSON"),
    "leading zero": ("01", "no JSON"),
    "plus sign": ("+1", "no JSON"),
    "hexadecimal": ("0x10", "no JSON"),
    "full-width digits": ("\uff11\uff12", "no JSON"),
    "unterminated string": ('"abc', "no JSON"),
    "string that ends in a backslash": ('"abc\\', "no JSON"),
    "bad escape": ('"\\x41"', "no JSON"),
    # PR-34: other formats
    "a pickle": (pickle.dumps([1]), "UTF-8|no JSON"),
    "YAML": ("!!python/object/apply:os.system ['x']", "no JSON"),
    "Python": ("__import__('os')", "no JSON"),
}


@pytest.mark.case("PR-10", "PR-11", "PR-12", "PR-13", "PR-14", "PR-15", "PR-34")
@pytest.mark.parametrize("name", REFUSED)
def test_what_breaks_a_rule_is_refused_by_name(name: str) -> None:
    """The message says which rule, and is short however long the text was."""
    text, rule = REFUSED[name]
    with pytest.raises(JsonRefused, match=rule) as refused:
        RULES.parse(text)
    assert len(str(refused.value)) < 250


@pytest.mark.case("PR-13", "PR-15")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (str(2**53 + 1), 2**53 + 1),
        (str(2**64), 2**64),
        ("9" * 400, int("9" * 400)),
        ("-" + "9" * 399, -int("9" * 399)),
        ("0.1", 0.1),
        ("1e-999", 0.0),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ('"\\ud83d\\ude00\\u0000"', "\U0001f600\x00"),
        ('"\u2028\u202e\x7f"', "\u2028\u202e\x7f"),
        ("\t\r\n [ ] ", []),
        ("[" * 64 + "]" * 64, json.loads("[" * 64 + "]" * 64)),
        ('["' + "[" * 1_000 + '{,\\"' * 1_000 + '"]', ["[" * 1_000 + '{,"' * 1_000]),
        ('{"__proto__": 1, "$ref": "#", "@type": {}}', {"__proto__": 1, "$ref": "#", "@type": {}}),
        ('{"e\\u0301": 1, "\\u00e9": 2}', {"e\u0301": 1, "\u00e9": 2}),
        ('{"": {"": []}}', {"": {"": []}}),
        ("null", None),
        (b"true", True),
    ],
)  # fmt: skip
def test_what_keeps_the_rules_comes_through_exactly(text: str | bytes, value: object) -> None:
    """PR-13, PR-15: integers keep every digit; odd keys are plain data, and no two are taken for one."""
    assert RULES.parse(text) == value


@pytest.mark.case("PR-12")
def test_minus_zero_is_kept() -> None:
    """PR-12: its sign survives."""
    assert math.copysign(1, RULES.parse("-0.0")) == -1


@pytest.mark.parametrize(
    ("fits", "breaks"),
    [
        ('"' + "x" * 58 + '"', '"' + "x" * 59 + '"'),
        ('"' + "ü" * 29 + '"', '"' + "ü" * 29 + 'x"'),
        ("[[[]]]", "[[[[]]]]"),
        ("[1,2,3,4,5]", "[1,2,3,4,5,6]"),
        ("[[],[],1]", "[[],[],[]]"),
        ("1234", "12345"),
        ("-1234", "-12345"),  # the sign is no digit
        ("1e-9", "1e-99"),
    ],
)
def test_each_bound_is_exact(fits: str, breaks: str) -> None:
    """At the bound it passes, one beyond it does not; bytes are bytes and no characters."""
    SMALL.parse(fits)
    with pytest.raises(JsonRefused):
        SMALL.parse(breaks)


def test_the_usual_bounds() -> None:
    """Those that DESIGN promises to callers."""
    assert (MAX_DEPTH, MAX_ITEMS, MAX_NUMBER_CHARS) == (64, 100_000, 400)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=15,
)


@given(json_values, st.booleans())
def test_every_honest_value_comes_through(value: Any, ascii_only: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    """Whatever json.dumps makes of a value is read as that value, escaped or not."""
    text = json.dumps(value, ensure_ascii=ascii_only)

    assert RULES.parse(text) == RULES.parse(text.encode()) == value


alphabet = st.sampled_from(list('[]{},:"\\/truefalsnbNaI0123456789.-+eE \n\x00ud8c\ud800é\U0001f600'))


@pytest.mark.case("PR-42")
@settings(max_examples=1_500, deadline=None)
@given(st.text(alphabet, max_size=80) | st.binary(max_size=80) | st.text(max_size=40))
@example('"\\')
@example('"\\ud800\\')
@example("-")
@example('{"\\ud800":1,"\\ud800":2}')
@example("[1e5, 1E+5, --1]")
def test_any_text_is_a_value_or_refused(text: str | bytes) -> None:
    """PR-42: nothing but `JsonRefused`; and what passes can be written again as strict UTF-8."""
    try:
        value = SMALL.parse(text)
    except JsonRefused:
        return
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.case("PR-42")
@settings(max_examples=300, deadline=None)
@given(json_values, st.data())
def test_a_mutated_value_is_a_value_or_refused(value: Any, data: st.DataObject) -> None:
    """PR-42: the same for text that is nearly right."""
    raw = bytearray(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    place = data.draw(st.integers(0, len(raw)))
    raw[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        RULES.parse(bytes(raw))
    except JsonRefused as refused:
        assert str(refused)  # noqa: PT017 - either ending is right


HOSTILE = {
    "quotes": '"' * 2_000_000,
    "open strings": '"a' * 2_000_000,
    "backslashes": '"' + "\\" * 2_000_000,
    "escaped quotes": '"' + '\\"' * 2_000_000,
    "brackets": "[" * 2_000_000,
    "closing brackets": "]" * 2_000_000,
    "empty pairs": "[]" * 2_000_000,
    "commas": "," * 2_000_000,
    "digits": "1" * 2_000_000,
    "minus signs": "- " * 2_000_000,
    "numbers without end": "1 " * 2_000_000,
    "letters e": "e" * 2_000_000,
    "spaces": " " * 2_000_000,
    "one long string": '"' + "x" * 1_999_998 + '"',
    "escapes": '"' + "\\u0041" * 300_000 + '"',
    "high surrogates": '"' + "\\ud800" * 300_000 + '"',
    "one long key": '{"' + "k" * 1_900_000 + '": 1}',
    "long numbers": "[" + ",".join(["9" * 400] * 4_500) + "]",
    "keys": "{" + ",".join(f'"k{n}":{n}' for n in range(99_990)) + "}",
}


@pytest.mark.case("PR-13", "PR-14")
@pytest.mark.parametrize("name", HOSTILE)
def test_time_is_linear_in_the_text(name: str) -> None:
    """PR-14: two megabytes of anything take about as long as of anything else."""
    text = HOSTILE[name]
    begun = time.process_time()
    try:
        RULES.parse(text)
    except JsonRefused as refused:
        assert len(str(refused)) < 250  # noqa: PT017 - either ending is right
    assert time.process_time() - begun < 3


def test_a_refusal_takes_hardly_any_memory() -> None:
    """What is too deep or too wide is refused before anything is built of it."""
    text = b"[" + b"1," * 2_000_000 + b"1]"
    tracemalloc.start()
    with pytest.raises(JsonRefused):
        RULES.parse(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 3 * len(text)
