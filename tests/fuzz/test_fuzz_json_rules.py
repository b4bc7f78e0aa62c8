"""Strict JSON against `json.loads`: what is accepted is the same value to the last digit, and no more is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz import json_oracle
from tests.fuzz.chance import SEED
from tests.fuzz.json_rules import RULES
from toolwright.domain.json_rules import JsonRules

pytestmark = [pytest.mark.unit, pytest.mark.case("PR-42", "PR-10", "PR-11", "PR-12", "PR-13", "PR-14", "PR-15")]

_any_rules = st.sampled_from(RULES)
_numbers = st.integers() | st.integers(-(10**420), 10**420) | st.floats()
_texts = st.text(st.characters(codec=None), max_size=6)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=20,
)


@st.composite
def _json_texts(draw: st.DrawFn) -> bytes:
    """A value as `json.dumps` writes it, NaN and lone surrogates too; then perhaps a piece of it put elsewhere."""
    value: Any = draw(_values)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3, 63, 64, 65]))):
        value = draw(st.sampled_from([[value], {"a": value}]))
    raw = json.dumps(value, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        place, source = draw(st.integers(0, len(raw))), draw(st.integers(0, len(raw)))
        raw = raw[:place] + raw[source : source + draw(st.integers(1, 12))] + raw[place + draw(st.integers(0, 2)) :]
    return raw


_pieces = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b",", b":", b'"', b'"a"', b'"a":', b" ", b"\n", b"\x00", b"\x7f"),
        *(b"\\", b"\\u", b"\\ud83d", b"\\ude00", b"\\u0061"),
        *(b"-", b"0", b"1", b"12345", b".", b"e", b"E+", b"e999", b"true", b"null", b"NaN", b"-Infinity"),
        *(b"\xef\xbb\xbf", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xc3\xa9", b"e\xcc\x81", b"\xf0\x9f\x98\x80"),
    ]
)


@seed(SEED)
@settings(max_examples=400, deadline=None)
@given(_json_texts(), _any_rules)
@example(b'{"\\u0061":1,"a":2}', RULES[0])
@example(b"-0.0", RULES[0])
@example(b"9" * 400, RULES[0])
@example(b"9" * 401, RULES[0])
@example(b"-" + b"9" * 400, RULES[0])
def test_values_and_what_is_nearly_one(raw: bytes, rules: JsonRules) -> None:
    """PR-10 to PR-15, PR-42: each rule is broken or kept exactly where the slow way finds it so."""
    json_oracle.check(raw, rules)


@seed(SEED)
@settings(max_examples=400, deadline=None)
@given(st.lists(_pieces, max_size=25).map(b"".join) | st.binary(max_size=60), _any_rules)
def test_bytes(raw: bytes, rules: JsonRules) -> None:
    """PR-42: the same for bytes and pieces of JSON in any order."""
    json_oracle.check(raw, rules)


def test_both_endings_are_reached() -> None:
    """Control: the slow way accepts and refuses, by each rule."""
    accepted = (b'{"a":[1,-0.0,"\\ud83d\\ude00"]}', b"9" * 400, b"[" * 64 + b"]" * 64)
    refused = (
        b'{"a":1,"a":1}',
        b"NaN",
        b"1e999",
        b"9" * 401,
        b'"\\ud800"',
        b"[" * 65 + b"]" * 65,
        b"\xff",
        b"\xef\xbb\xbf1",
    )

    assert all(json_oracle.expected(raw, RULES[0]) is not None for raw in accepted)
    assert all(json_oracle.expected(raw, RULES[0]) is None for raw in refused)
