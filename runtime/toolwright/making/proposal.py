"""The code in a maker's reply. Found by its fences alone; what it says is for the sandbox to see."""

from __future__ import annotations

import re
from dataclasses import dataclass

from toolwright.calling.quoting import quote
from toolwright.domain.record import Stage
from toolwright.domain.source import ToolSource
from toolwright.errors import InvalidInput
from toolwright.making.verdict import Refusal

MAX_REPLY_CHARS = 1024 * 1024
_SHOWN_CHARS = 500
"""Of a reply without code: a model that refuses says why."""

_FENCE = re.compile(r"( *)(`{3,}|~{3,})[ \t]*([^\s`]*)([^`]*)\Z")
_PYTHON = frozenset({"", "python", "python3", "py", "py3"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a reply amounts to."""

    code: str
    """The code found, whether or not it may be used; empty if there was none."""
    verdict: ToolSource | Refusal
    """The code, if it is within the limits for code."""


def read_proposal(reply: str, function: str) -> Proposal:
    """Return the one block of Python code in `reply`.

    Text around the block does not matter, and blocks in other languages do not count. Of several
    Python blocks the one that defines `function` is meant; blocks are never joined, since that would
    run usage examples as part of the tool.
    """
    if len(reply) > MAX_REPLY_CHARS:
        return _refused(f"The reply has {len(reply)} characters; at most {MAX_REPLY_CHARS} are read.")
    blocks, is_open = _python_blocks(reply)
    if len(blocks) > 1:
        blocks = [block for block in blocks if _defines(block, function)]
        if len(blocks) != 1:
            return _refused(f"The reply must hold exactly one ```python block, which defines `{function}`.")
    if not blocks:
        if is_open:
            return _refused("The code block does not end: close it with ```, and keep the code short.")
        said = f" It says:\n{quote(reply, _SHOWN_CHARS)}" if reply.strip() else ""
        return _refused(f"The reply holds no fenced ```python block with the code.{said}")
    code = blocks[0]
    try:
        return Proposal(code, ToolSource(code, function))
    except InvalidInput as fault:
        return _refused(f"The code was refused unread: {fault}.", code)


def _refused(feedback: str, code: str = "") -> Proposal:
    return Proposal(code, Refusal(Stage.PROPOSE, feedback))


def _python_blocks(reply: str) -> tuple[list[str], bool]:
    """Return the closed Python blocks, and whether the last block of all stays open."""
    blocks: list[str] = []
    fence, indent, language = "", 0, ""
    lines: list[str] = []
    for line in reply.replace("\r\n", "\n").split("\n"):
        match = _FENCE.match(line)
        if not fence:
            if match:
                indent, fence, language = len(match[1]), match[2], match[3].lower()
                lines = []
        elif match and match[2].startswith(fence) and len(match[1]) <= indent + 3 and not (match[3] + match[4]).strip():
            if language in _PYTHON:
                blocks.append("\n".join(lines) + "\n")
            fence = ""
        else:
            lines.append(_outdented(line, indent))
    return blocks, bool(fence)


def _outdented(line: str, indent: int) -> str:
    """Return `line` without the blanks that stood before its fence."""
    return line[min(indent, len(line) - len(line.lstrip(" "))) :]


def _defines(code: str, function: str) -> bool:
    return re.search(rf"^(?:async )?def {function}\b", code, re.MULTILINE) is not None
