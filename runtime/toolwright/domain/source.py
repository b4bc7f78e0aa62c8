"""Tool source: untrusted text. It is measured and hashed here, and never parsed."""

from __future__ import annotations

import hashlib
import keyword
import re
from dataclasses import dataclass

from toolwright.errors import InvalidInput

MAX_SOURCE_BYTES = 256 * 1024
MAX_SOURCE_LINES = 20_000
MAX_LINE_CHARS = 10_000

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z", re.ASCII)
_FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z", re.ASCII)
# Words of references and of the dispatcher, and modules that a function of the same name would hide.
_RESERVED = frozenset(
    {"none", "unknown", "tool", "tools", "latest", "stable", "canary", "sha256", "os", "sys", "json", "builtins"}
)
# Bidi controls, zero-width characters, blank letters, tags and selectors show a reviewer another text than the one that
# runs, or hide any bytes (the two selectors that follow an emoji may stay); \r, \f, \v, NEL and U+2028/9
# make line counts of tools differ; C1 controls steer terminals.
_DECEPTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069"
    "\u3164\ufe00-\ufe0d\ufeff\uffa0\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
_COOKIE = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ToolSource:
    """Python text that a model or a person wrote, and the function to call in it."""

    code: str
    function: str

    def __post_init__(self) -> None:
        """Refuse what no honest tool needs.

        Raises:
            InvalidInput: names the field (`source.code` or `source.function`) and the limit.
        """
        if not _FUNCTION.match(self.function) or keyword.iskeyword(self.function):
            raise InvalidInput(
                "source.function", f"{self.function[:80]!r} is not a function name", "an ASCII Python identifier"
            )
        _check_code(self.code)

    @property
    def digest(self) -> str:
        """`sha256:` over the function's name and exactly the bytes that will run."""
        return "sha256:" + hashlib.sha256(f"{self.function}\n{self.code}".encode()).hexdigest()


def _check_code(code: str) -> None:
    field = "source.code"
    try:
        size = len(code.encode())
    except UnicodeEncodeError:
        raise InvalidInput(field, "holds a lone surrogate", "valid UTF-8") from None
    if not code.strip():
        raise InvalidInput(field, "is empty", f"1 to {MAX_SOURCE_BYTES} bytes")
    if size > MAX_SOURCE_BYTES:
        raise InvalidInput(field, f"has {size} bytes", f"at most {MAX_SOURCE_BYTES} bytes")
    if deceptive := _DECEPTIVE.search(code):
        raise InvalidInput(
            field,
            f"holds the control character U+{ord(deceptive.group()):04X} at offset {deceptive.start()}",
            "printable text, tabs and \\n line ends",
        )
    lines = code.split("\n")
    if len(lines) > MAX_SOURCE_LINES:
        raise InvalidInput(field, f"has {len(lines)} lines", f"at most {MAX_SOURCE_LINES} lines")
    if (longest := max(map(len, lines))) > MAX_LINE_CHARS:
        raise InvalidInput(field, f"has a line of {longest} characters", f"at most {MAX_LINE_CHARS}")
    for line in lines[:2]:
        cookie = _COOKIE.match(line)
        if cookie and cookie.group(1).lower().replace("_", "-") not in {"utf-8", "utf8"}:
            raise InvalidInput(field, f"declares the encoding {cookie.group(1)!r}", "utf-8")


def check_tool_name(name: str, field: str = "name") -> str:
    """Return `name` if a tool or task may be called so.

    Raises:
        InvalidInput: it is not a lower-case identifier of 1 to 64 characters, or is reserved.
    """
    if not _NAME.match(name) or keyword.iskeyword(name) or name in _RESERVED:
        raise InvalidInput(
            field,
            f"{name[:80]!r} is not a usable name",
            "1 to 64 of a-z, 0-9 and _, starting with a letter, no Python keyword or reserved word",
        )
    return name
