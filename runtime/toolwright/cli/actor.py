"""Who runs this command, as the operating system has it."""

from __future__ import annotations

import getpass

UNKNOWN = "unknown"


def this_user() -> str:
    """Return the user's name; `unknown` where the system has none."""
    try:
        return getpass.getuser() or UNKNOWN
    except (OSError, KeyError):
        return UNKNOWN
