"""Untrusted text cannot act on a terminal."""

from __future__ import annotations

import io
import unicodedata

import pytest
from rich.console import Console

from toolwright.cli.safe_text import joined, json_text, literal
from toolwright.domain.shown import shown, shown_line

pytestmark = pytest.mark.unit


@pytest.mark.case("AP-24")
@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb", "a\\rb"),
        ("a\bb", "a\\x08b"),
        ("\x7f", "\\x7f"),
        ("\x00", "\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("\u200b\ufeff\u00ad", "\\u200b\\ufeff\\xad"),
        ("a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\x85d"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_acts_or_hides_becomes_an_escape(hostile: str, harmless: str) -> None:
    """Control, bidi, zero-width, tag and surrogate characters are shown, not sent."""
    assert shown(hostile) == harmless


def test_every_control_and_format_character_of_unicode_is_escaped() -> None:
    """Nothing of the categories Cc and Cf gets through, but for line end and tab."""
    through = [
        character
        for character in map(chr, range(0x110000))
        if unicodedata.category(character) in {"Cc", "Cf"} and shown(character) == character
    ]
    assert through == ["\t", "\n"]


def test_ordinary_text_stays_as_it_is() -> None:
    """Letters of any script, accents and signs are no danger."""
    text = "Größe 大小 ñ → ✓ é\n\tdone"
    assert shown(text) == text


def test_a_line_has_no_line_ends() -> None:
    """`shown_line` keeps a hostile text on its line."""
    assert shown_line("a\nb\tc") == "a\\nb\\tc"


def test_long_text_is_cut_and_says_so() -> None:
    """A flood is cut, and the reader learns how much is missing."""
    assert shown("x" * 10, limit=4) == "xxxx… (6 more characters)"


def test_rich_finds_no_markup_in_untrusted_text() -> None:
    """[bold] and links of a tool are printed as they are."""
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, width=80).print(
        literal("[bold red]x[/] [link=http://e]y[/link] :warning:")
    )
    assert "[bold red]x[/] [link=http://e]y[/link] :warning:" in stream.getvalue()


def test_joined_parts_keep_their_own_styles() -> None:
    """A coloured mark does not colour what stands after it."""
    line = joined(literal("a", style="bold"), literal("b"))
    assert (line.plain, str(line.style)) == ("ab", "")


def test_json_is_harmless_on_a_terminal() -> None:
    """JSON output is printable ASCII, whatever it carries."""
    text = json_text({"a": "".join(map(chr, range(0x300))) + "\u202e\U0001f600"})
    assert text.isascii()
    assert text.isprintable()


def test_json_keeps_integers_exact() -> None:
    """An integer of many digits is not rounded."""
    assert json_text({"n": 10**300 + 1}) == '{"n": ' + str(10**300 + 1) + "}"


def test_json_refuses_what_json_has_not() -> None:
    """NaN is an error of ours, never a document that no parser takes."""
    with pytest.raises(ValueError, match="JSON"):
        json_text(float("nan"))
