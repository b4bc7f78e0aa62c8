"""Names in source are ASCII; text need not be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright_agent import spelling

pytestmark = pytest.mark.unit

REFUSED = {
    "folds to ASCII": ("x = 1\n\uff45val('1')\n", "line 2: the name '\\uff45val' holds U+FF45"),
    "looks like ASCII": ("def f(\u0430): pass\n", "line 1: the name '\\u0430' holds U+0430"),
    "attribute": ("x.b\u00e9 = 1\n", "line 1: the name 'b\\xe9' holds U+00E9"),
    "keyword argument": ("f(\u00b5=1)\n", "holds U+00B5"),
    "module": ("import \u0441\u0443\u0441\n", "holds U+0441"),
    "after a comment in another script": ("# \u043f\u0440\u0438\n\n\u6f22 = 1\n", "line 3:"),
    "variation selector": ("x\ufe0f = 1\n", "holds U+FE0F"),
    "beyond the first plane": ("\U0001d41f = 1\n", "holds U+1D41F"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_outside_ascii_is_refused(name: str) -> None:
    """CO-07: with line and character, in ASCII."""
    code, words = REFUSED[name]

    with pytest.raises(spelling.NotLoaded) as refused:
        spelling.check(code)
    assert words in str(refused.value)
    assert str(refused.value).isascii()


@pytest.mark.parametrize(
    "code",
    [
        "x = '\u043f\u0440\u0438'  # \u6f22\n",
        "x = b'a' # \u2192 \u2014 \u2705\ufe0f\n",
        '"""\u00e9\n\u00b5\n"""\n',
        "x = {'\u00e9': 1}\n",
        "",
    ],
)
def test_text_may_be_in_any_script(code: str) -> None:
    """CO-07, control: strings and comments."""
    spelling.check(code)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=4))
def test_whatever_the_compiler_takes_for_a_name_is_ascii_or_refused(name: str) -> None:
    """CO-07: every identifier, in every script that there is."""
    if not name.isidentifier() or name.isascii():
        return
    code = f"x = 1\n{name} = 2\n"
    compile(code, "<tool>", "exec")

    with pytest.raises(spelling.NotLoaded, match="line 2"):
        spelling.check(code)


def test_what_cannot_be_read_by_name_is_refused() -> None:
    """It is never run unlooked at."""
    with pytest.raises(spelling.NotLoaded, match="name by name"):
        spelling.check("x = (1  # \u00e9\n")
