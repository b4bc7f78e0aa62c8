"""Twins that work with text."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.twins.twin import Twin

TWINS: Final = (
    Twin(
        "regular expressions",
        r"""
import re
def f(text):
    mail = re.compile(r"(?P<user>[\w.+-]+)@(?P<host>[\w-]+(?:\.[\w-]+)+)")
    found = [one.groupdict() for one in mail.finditer(text)]
    changed = re.sub(r"\b(\w)(\w*)", lambda one: one[1].upper() + one[2], "the quick brown fox")
    return [found, changed, re.split(r"\s*[,;]\s*", "a , b;c"), re.findall(r"(?i)\bß|é", "É é ß"),
            bool(re.fullmatch(r"(?:a|b)*c", "ab" * 20_000 + "c"))]
""",
        [
            [{"user": "ann", "host": "example.org"}, {"user": "b.o+b", "host": "mail.example.com"}],
            "The Quick Brown Fox",
            ["a", "b", "c"],
            ["É", "é", "ß"],
            True,
        ],
        {"text": "ann@example.org, b.o+b@mail.example.com; not@that"},
    ),
    Twin(
        "text: wrapping, differences, templates",
        """
import difflib, pprint, string, textwrap
def f():
    old, new = "one\\ntwo\\nthree\\n".splitlines(), "one\\n2\\nthree\\nfour\\n".splitlines()
    return [textwrap.wrap("The quick brown fox jumps over the lazy dog", 15), textwrap.dedent("  a\\n    b\\n  c"),
            list(difflib.unified_diff(old, new, lineterm="", n=0))[2:],
            round(difflib.SequenceMatcher(None, "kitten", "sitting").ratio(), 4),
            difflib.get_close_matches("appel", ["ape", "apple", "peach"]),
            string.Template("$who owes $$${sum}").substitute(who="Ann", sum=5),
            f"{1234567.891:,.2f} {255:#x} {'mid':^7}|", pprint.pformat({"b": [1, 2], "a": "x"})]
""",
        [
            ["The quick brown", "fox jumps over", "the lazy dog"],
            "a\n  b\nc",
            ["@@ -2 +2 @@", "-two", "+2", "@@ -3,0 +4 @@", "+four"],
            0.6154,
            ["apple", "ape"],
            "Ann owes $5",
            "1,234,567.89 0xff   mid  |",
            "{'a': 'x', 'b': [1, 2]}",
        ],
    ),
    Twin(
        "Unicode and locale",
        """
import locale, unicodedata
def f():
    return [unicodedata.name("☃"), unicodedata.normalize("NFD", "é").encode().hex(), unicodedata.category("ß"),
            unicodedata.numeric("½"), "STRASSE".casefold() == "straße".casefold(), "İ".lower().encode().hex(),
            sorted(["zebra", "Äpfel", "apple"], key=locale.strxfrm), locale.setlocale(locale.LC_ALL, "C"),
            locale.getpreferredencoding(), locale.format_string("%.2f", 1234.5, grouping=True)]
""",
        [
            "SNOWMAN",
            "65cc81",
            "Ll",
            0.5,
            True,
            "69cc87",
            ["apple", "zebra", "Äpfel"],
            "C",
            "utf-8",
            "1234.50",
        ],
    ),
    Twin(
        "settings files and command lines",
        """
import argparse, configparser, shlex, tomllib
def f():
    ini = configparser.ConfigParser()
    ini.read_string("[server]\\nport = 80\\nhost: %(name)s.org\\nname = example\\n")
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("names", nargs="+")
    asked = parser.parse_args(shlex.split("--count 3 'two words' plain"))
    toml = tomllib.loads('title = "x"\\n[owner]\\nborn = 1979-05-27\\nports = [1, 2]')
    return [ini.getint("server", "port"), ini["server"]["host"], vars(asked), toml["owner"]["born"].isoformat(),
            toml["owner"]["ports"]]
""",
        [80, "example.org", {"count": 3, "names": ["two words", "plain"]}, "1979-05-27", [1, 2]],
    ),
)
