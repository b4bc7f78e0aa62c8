"""Page sizes and tokens."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.errors import InvalidInput
from toolwright.services.paging import page_size, tools_after, tools_token


def test_token_comes_back() -> None:
    """The token leads to the page after the name; no token to the first page."""
    assert tools_after(tools_token("word_sort")) == "word_sort"
    assert tools_after("") == ""


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "word_sort",
        "é",
        base64.urlsafe_b64encode(b"tools.1:").decode(),
        base64.urlsafe_b64encode(b"tools.1:No Name").decode(),
        base64.urlsafe_b64encode(b"tools.1:\xff").decode(),
        base64.urlsafe_b64encode(b"other.1:word_sort").decode(),
        tools_token("word_sort") + "A",
        "A" * 100_000,
    ],
)
def test_foreign_token_is_refused(token: str) -> None:
    """Whatever is wrong with it, the answer is the same and names the field."""
    with pytest.raises(InvalidInput, match="page_token: is not one that this call gave out"):
        tools_after(token)


@given(st.text(max_size=300))
def test_no_token_breaks_the_reader(token: str) -> None:
    """Any text either is a token or is refused as input."""
    with suppress(InvalidInput):
        tools_after(token)


def test_page_sizes() -> None:
    """0 asks for the default; bounds are 1 and 1,000."""
    assert (page_size(0), page_size(1), page_size(1000)) == (100, 1, 1000)
    for bad in (-1, 1001):
        with pytest.raises(InvalidInput, match="page_size"):
            page_size(bad)
