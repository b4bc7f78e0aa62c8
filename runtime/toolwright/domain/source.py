"""Tool source: untrusted text. It is measured and hashed here, and never parsed."""

from __future__ import annotations

import hashlib
import keyword
import re
from dataclasses import dataclass, field, replace

from toolwright.errors import InvalidInput

MAX_SOURCE_BYTES = 256 * 1024
MAX_SOURCE_LINES = 20_000
MAX_LINE_CHARS = 10_000

MAX_DIRECT = 8
"""Tools that a tool may name as parts of its own."""
MAX_PARTS = 16
"""Tools that it may be made of in all, parts of parts counted once each."""
MAX_DEPTH = 4
"""Levels of parts below a tool."""
MAX_PARTS_BYTES = 768 * 1024
"""Source text of all its parts together; its own comes on top."""

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
    modules: tuple[SourceModule, ...] = ()
    """Admitted tools that the code may import by `from tools import NAME`. Never from a caller: resolved here."""

    def __post_init__(self) -> None:
        """Refuse what no honest tool needs.

        Raises:
            InvalidInput: names the field (`source.code`, `source.function` or `source.modules`) and the limit.
        """
        if not _FUNCTION.match(self.function) or keyword.iskeyword(self.function):
            raise InvalidInput(
                "source.function", f"{self.function[:80]!r} is not a function name", "an ASCII Python identifier"
            )
        _check_code(self.code)
        if self.modules:
            check_modules(self.modules, "source.modules")

    @property
    def digest(self) -> str:
        """`sha256:` over the function's name and exactly the bytes that will run, those of its parts among them."""
        text = f"{self.function}\n{self.code}"
        if self.modules:
            # No source holds a NUL, so no code can pass for other code with parts.
            text += "\0" + "".join(f"{part.name} {part.tool_digest} {part.digest}\n" for part in self.modules)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    @property
    def own(self) -> ToolSource:
        """The same without its parts: what is kept of a version, which names its parts by digest."""
        return replace(self, modules=()) if self.modules else self


@dataclass(frozen=True, slots=True)
class SourceModule:
    """An admitted tool as a part of another one. Values hold values, so none can be a part of itself."""

    name: str
    """The tool's name, by which the code of its user imports it."""
    tool_digest: str
    """Of the admitted version."""
    source: ToolSource = field(compare=False)
    """With its own parts, which its user does not see. Its digest stands for it where modules are compared."""
    digest: str = field(init=False)
    """Of the source and all of its parts; worked out once, however many tools share it."""
    depth: int = field(init=False)
    """Levels, this one included."""

    def __post_init__(self) -> None:
        """Work out what covers the whole."""
        check_tool_name(self.name, "source.modules.name")
        object.__setattr__(self, "digest", self.source.digest)
        object.__setattr__(self, "depth", 1 + max((part.depth for part in self.source.modules), default=0))


def check_modules(modules: tuple[SourceModule, ...], field: str) -> None:
    """Let `modules` pass as the parts of one tool.

    Raises:
        InvalidInput: names `field`: there are too many, they go too deep, two share a name, or are too long in all.
    """
    if len(modules) > MAX_DIRECT:
        raise InvalidInput(field, f"has {len(modules)} tools", f"at most {MAX_DIRECT}")
    names = [part.name for part in modules]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InvalidInput(field, f"has two tools of the name {twice[0]!r}", "one version of each tool")
    if (depth := max((part.depth for part in modules), default=0)) > MAX_DEPTH:
        raise InvalidInput(field, f"goes {depth} levels deep", f"at most {MAX_DEPTH} levels of tools made from tools")
    parts = all_parts(modules)
    if len(parts) > MAX_PARTS:
        raise InvalidInput(field, f"comes to {len(parts)} tools, parts of parts included", f"at most {MAX_PARTS}")
    if (size := sum(len(part.source.code.encode()) for part in parts)) > MAX_PARTS_BYTES:
        raise InvalidInput(field, f"comes to {size} bytes of source", f"at most {MAX_PARTS_BYTES} bytes in all")


def all_parts(modules: tuple[SourceModule, ...]) -> tuple[SourceModule, ...]:
    """Return `modules` and all that they are made of, each once, parts before their users."""
    found: dict[SourceModule, None] = {}
    for part in modules:
        for inner in (*all_parts(part.source.modules), part):
            found.setdefault(inner)
    return tuple(found)


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
