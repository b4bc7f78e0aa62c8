"""Page sizes and page tokens of list calls."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from toolwright.domain.source import check_tool_name
from toolwright.errors import InvalidInput

DEFAULT_PAGE_SIZE: Final = 100
MAX_PAGE_SIZE: Final = 1000

_TOOLS: Final = b"tools.1:"
_IDS: Final = b"ids.1:"
_ID: Final = re.compile(rb"[0-9a-f]{1,64}\Z")
_EVENTS: Final = "events.1:"
_EVENT_ID: Final = re.compile(r"[1-9][0-9]{0,17}\Z", re.ASCII)
_MAKINGS: Final = b"makings.1:"
_MAKING_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z", re.ASCII)
_MAX_TOKEN_CHARS: Final = 200


def page_size(asked: int) -> int:
    """Return the size of a page; 0 asks for the default.

    Raises:
        InvalidInput: it is outside 1 to 1,000.
    """
    if not 0 <= asked <= MAX_PAGE_SIZE:
        raise InvalidInput("page_size", f"{asked} is outside the allowed range", f"1 to {MAX_PAGE_SIZE}")
    return asked or DEFAULT_PAGE_SIZE


def tools_token(last_name: str) -> str:
    """Return the token of the page that follows the tool `last_name`."""
    return _token(_TOOLS, last_name)


def tools_after(token: str) -> str:
    """Return the tool name after which the page of `token` begins; empty for the first page.

    Raises:
        InvalidInput: the token is not one of ours.
    """
    try:
        return token and check_tool_name(_last(_TOOLS, token))
    except InvalidInput:
        raise _not_ours() from None


def makings_token(last_id: str) -> str:
    """Return the token of the page that follows the making `last_id`."""
    return _token(_MAKINGS, last_id)


def makings_after(token: str) -> str:
    """Return the id of the making after which the page of `token` begins; empty for the first page.

    Raises:
        InvalidInput: the token is not one of ours.
    """
    if not token:
        return ""
    last = _last(_MAKINGS, token)
    if not _MAKING_ID.match(last):
        raise _not_ours()
    return last


def _token(kind: bytes, last: str) -> str:
    return base64.urlsafe_b64encode(kind + last.encode()).decode()


def _last(kind: bytes, token: str) -> str:
    try:
        raw = base64.b64decode(token[: _MAX_TOKEN_CHARS + 1], altchars=b"-_", validate=True)
        if raw.startswith(kind) and len(token) <= _MAX_TOKEN_CHARS:
            return raw.removeprefix(kind).decode()
    except (binascii.Error, ValueError):
        pass  # one answer for every way in which it is not ours
    raise _not_ours()


def id_token(last_id: str) -> str:
    """Return the token of the page that follows the entry with the id `last_id`."""
    return base64.urlsafe_b64encode(_IDS + last_id.encode()).decode()


def id_after(token: str) -> str:
    """Return the id after which the page of `token` begins; empty for the first page.

    Raises:
        InvalidInput: the token is not one of ours.
    """
    if not token:
        return ""
    try:
        raw = base64.b64decode(token[: _MAX_TOKEN_CHARS + 1], altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _not_ours() from None
    found = raw.removeprefix(_IDS)
    if not raw.startswith(_IDS) or len(token) > _MAX_TOKEN_CHARS or not _ID.match(found):
        raise _not_ours()
    return found.decode()


def _not_ours() -> InvalidInput:
    return InvalidInput("page_token", "is not one that this call gave out", "next_page_token of the last response")


def events_token(last_event: int) -> str:
    """Return the token of the page that follows the event of that id."""
    return f"{_EVENTS}{last_event}"


def events_after(token: str) -> int:
    """Return the id of the event after which the page of `token` begins; 0 for the first page.

    Raises:
        InvalidInput: the token is not one of ours.
    """
    if not token:
        return 0
    number = token.removeprefix(_EVENTS)
    if not token.startswith(_EVENTS) or not _EVENT_ID.match(number):
        raise _not_ours()
    return int(number)
