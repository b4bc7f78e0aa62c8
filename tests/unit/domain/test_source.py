"""Tool source is measured and hashed, never parsed; names never become anything but names."""

from __future__ import annotations

import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.domain.source import MAX_LINE_CHARS, MAX_SOURCE_BYTES, MAX_SOURCE_LINES, ToolSource, check_tool_name
from toolwright.errors import InvalidInput

pytestmark = pytest.mark.unit

CODE = "def f():\n    return 1\n"


def padded(size: int) -> str:
    """Return source of exactly so many bytes, in lines of allowed length."""
    line = "#" * 999 + "\n"
    return (line * (size // 1_000 + 1))[: size - 1] + "\n"


@pytest.mark.parametrize(
    "code",
    [
        CODE,
        "# -*- coding: utf-8 -*-\n" + CODE,
        "#!x\n# vim: set fileencoding=UTF8 :\n" + CODE,
        "#\n#\n# coding: latin-1 is only read in the first two lines\n",
        "x = 'coding: latin-1'\n",
        "def f():\n\treturn 'ünï \U0001f600 \\u202e'",
        padded(MAX_SOURCE_BYTES),
        "\n" * (MAX_SOURCE_LINES - 2) + "x",
        "#" * MAX_LINE_CHARS,
        "not Python at all (",
        "(" * 9_000,
    ],
    ids=range(11),
)
def test_any_honest_text_is_taken_as_it_is(code: str) -> None:
    """CO-01, CO-02, CO-04: nothing here parses it, so nothing here can be broken by it."""
    assert ToolSource(code, "f").code == code


BAD_CODE = {
    "empty": ("", "is empty"),
    "blank": (" \n\t\n", "is empty"),
    "one byte too large": (padded(MAX_SOURCE_BYTES + 1), f"at most {MAX_SOURCE_BYTES}"),
    "too large in bytes, not in characters": ("# " + "ü" * 200 + "\n" + ("#ü" * 400 + "\n") * 220, "bytes"),
    "a line of 5 MiB": ("#" * (5 << 20), f"at most {MAX_SOURCE_BYTES}"),
    "one line too long": ("x\n" + "#" * (MAX_LINE_CHARS + 1), f"at most {MAX_LINE_CHARS}"),
    "10**5 lines": ("\n" * 100_000 + "x", f"at most {MAX_SOURCE_LINES}"),
    # CO-03
    "NUL at the start": ("\x00" + CODE, "U\\+0000 at offset 0"),
    "NUL in a string": ("x = '\x00'", "U\\+0000 at offset 5"),
    "NUL after a comment": (CODE + "#\x00", "U\\+0000"),
    # CO-05
    "lone surrogate": ("x = '\ud800'", "lone surrogate"),
    # CO-06
    "cookie utf-7": ("# coding: utf-7\n" + CODE, "'utf-7'"),
    "cookie rot13": ("# -*- coding: rot13 -*-\n" + CODE, "'rot13'"),
    "cookie unicode_escape": ("#coding=unicode_escape\n" + CODE, "'unicode_escape'"),
    "cookie raw_unicode_escape in line 2": ("#!/x\n# coding=raw_unicode_escape\n" + CODE, "raw_unicode_escape"),
    "cookie unknown": ("# vim: set fileencoding=nosuch :\n" + CODE, "'nosuch'"),
    "two cookies": ("# coding: utf-8\n# coding: latin-1\n" + CODE, "'latin-1'"),
    "cookie before code in line 1": ("x = 1 # coding\n # coding: cp037\n", "'cp037'"),
    # CO-07
    **{
        f"U+{number:04X}": (f"x = 'a{chr(number)}b'", f"U\\+{number:04X}")
        for number in (
            *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x061C, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060,
            0xFEFF, 0x00AD, 0x115F, 0x1160, 0x180E, 0x3164, 0xFFA0, 0xE0001, 0xE0041, 0xFE00,
            0xFE0D, 0xE0100, 0xE01EF,
        )
    },
    # CO-08
    **{
        f"line end U+{number:04X}": (f"x = 1{chr(number)}y = 2\n", f"U\\+{number:04X}")
        for number in (0x0D, 0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029)
    },
    "DOS line ends": ("x = 1\r\ny = 2\r\n", "U\\+000D"),
    "escape sequence": ("# \x1b[2J", "U\\+001B"),
    "C1 control": ("# \x9b2J", "U\\+009B"),
    "delete": ("# \x7f", "U\\+007F"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CODE)
def test_what_no_honest_tool_needs_is_refused(name: str) -> None:
    """The field, the problem and the limit are named; the text itself is not repeated."""
    code, problem = BAD_CODE[name]
    with pytest.raises(InvalidInput, match=problem) as refused:
        ToolSource(code, "f")
    assert refused.value.field == "source.code"
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("function", ["f", "_f", "F1", "a" * 64, "solve_it", "__call__"])
def test_a_function_is_an_identifier(function: str) -> None:
    """ASCII, of 1 to 64 characters."""
    assert ToolSource(CODE, function).function == function


@pytest.mark.parametrize(
    "function",
    [
        "",
        "1f",
        "f g",
        "f\n",
        "f.g",
        "f()",
        "ƒ",
        "ﬁ",
        "a" * 65,
        "lambda",
        "None",
        "class",
        "f\x00",
        "../f",
        "f-g",
        "\u0430",
    ],
)
def test_what_is_no_identifier_is_no_function(function: str) -> None:
    """CO-07: not even what Python would fold into one."""
    with pytest.raises(InvalidInput) as refused:
        ToolSource(CODE, function)
    assert refused.value.field == "source.function"


def test_the_digest_is_over_name_and_exact_bytes() -> None:
    """CO-08: the same bytes have the same name everywhere; any other byte another."""
    source = ToolSource(CODE, "f")

    assert source.digest == "sha256:" + hashlib.sha256(b"f\n" + CODE.encode()).hexdigest()
    assert len({ToolSource(code, name).digest for code in (CODE, CODE + "\n", CODE + " ") for name in "fg"}) == 6


@given(st.text(max_size=200), st.text(max_size=70))
def test_any_text_is_source_or_refused(code: str, function: str) -> None:
    """Nothing but `InvalidInput`, and what passes can be hashed and sent."""
    try:
        source = ToolSource(code, function)
    except InvalidInput:
        return
    assert len(source.digest) == 71
    assert source.code.encode().decode() == code


@pytest.mark.parametrize("piece", ["#coding", "# coding:", "#" + " " * 50, "coding: ", "#\t"])
def test_looking_for_a_cookie_is_linear(piece: str) -> None:
    """A line that is nearly a cookie, as often as it fits, takes no time."""
    line = "#" + piece * (MAX_LINE_CHARS // len(piece) - 1)
    begun = time.process_time()
    for _ in range(20):
        try:
            ToolSource(f"{line}\n{line}", "f")
        except InvalidInput:
            continue
    assert time.process_time() - begun < 1


# --- names of tools --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "word_sorting", "a1", "x" * 64, "schedule_meeting"])
def test_a_name_is_a_small_identifier(name: str) -> None:
    """Lower case, so that no two differ in case alone."""
    assert check_tool_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "x" * 65, "x" * 100_000, "..", ".", "a/b", "a\\b", "a\x00", "a\n", "\na", " a", "a b", "A", "aB", "1a", "_a",
     "__main__", "__init__", "a-b", "a.b", "a@1", "a:b", "sha256", "none", "unknown", "latest", "stable", "canary",
     "tool", "tools", "class", "lambda", "os", "sys", "json", "builtins",
     "\uff41", "\u0430", "\u0131", "ß", "é", "a\u200b", "a\u0301", "%s",
     "{0}", "$x", "~", "*", "con;", "a'b", 'a"b'],
)  # fmt: skip
def test_what_could_be_taken_for_something_else_is_no_name(name: str) -> None:
    """CO-18: no path, module, keyword, reference, look-alike or pattern; the message is short."""
    with pytest.raises(InvalidInput) as refused:
        check_tool_name(name, "task.name")
    assert refused.value.field == "task.name"
    assert len(str(refused.value)) < 400


@given(st.text(max_size=70))
def test_any_other_name_is_harmless(name: str) -> None:
    """What passes is ASCII letters, digits and underscores, and starts with a letter."""
    try:
        check_tool_name(name)
    except InvalidInput:
        return
    assert name.isascii()
    assert name.isidentifier()
    assert name.islower()
