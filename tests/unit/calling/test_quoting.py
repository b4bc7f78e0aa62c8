"""Untrusted text in a prompt can neither break out nor grow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from toolwright.calling.quoting import quote, shorten


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_every_line_of_a_quotation_is_indented(text: str, limit: int) -> None:
    """Whatever counts as a line end, no line starts at the margin."""
    quoted = quote(text, limit)
    assert all(line.startswith("    ") for line in quoted.splitlines())
    assert ("characters more" in quoted) >= (len(text) > limit)


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_shortened_text_is_one_printable_line(text: str, limit: int) -> None:
    """The result is bounded and has no control characters."""
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short.isprintable()
