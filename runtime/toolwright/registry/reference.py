"""References to tools: `name`, `name@number`, `name@alias` or `sha256:…`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from toolwright.domain.lifecycle import check_alias
from toolwright.domain.source import check_tool_name
from toolwright.errors import InvalidInput

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}\Z", re.ASCII)
_FORMS = "name, name@number, name@alias or sha256: with 64 hexadecimal digits"


@dataclass(frozen=True, slots=True)
class ToolReference:
    """Either `digest` is set, or `name`, with `number` or `alias` unless the plain name is meant."""

    name: str = ""
    number: int | None = None
    digest: str = ""
    alias: str = ""

    @property
    def is_bare(self) -> bool:
        """Whether it is a name alone."""
        return not self.digest and self.number is None


def parse_reference(text: str) -> ToolReference:
    """Return what `text` refers to.

    Raises:
        InvalidInput: names the field `tool` and the forms that are allowed.
    """
    if text.startswith("sha256:"):
        if not _DIGEST.match(text):
            raise InvalidInput("tool", f"{text[:80]!r} is no digest", _FORMS)
        return ToolReference(digest=text)
    name, at, number = text.partition("@")
    check_tool_name(name, "tool")
    if not at:
        return ToolReference(name=name)
    if _NUMBER.match(number):
        return ToolReference(name=name, number=int(number))
    try:
        return ToolReference(name=name, alias=check_alias(number))
    except InvalidInput:
        raise InvalidInput("tool", f"{number[:80]!r} is neither a version number nor an alias", _FORMS) from None
