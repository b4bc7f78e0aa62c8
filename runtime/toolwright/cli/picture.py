"""Writing a picture where a flag says."""

from __future__ import annotations

from pathlib import Path

from toolwright.errors import InvalidInput


def check_picture(path: Path, flag: str) -> None:
    """Let `path` pass if a picture can most likely be written there: before the work, not after it.

    Raises:
        InvalidInput: it cannot; names `flag`.
    """
    if not path.parent.is_dir():
        raise InvalidInput(flag, f"there is no directory {str(path.parent)!r}", "a file in a directory that exists")
    if path.is_dir():
        raise InvalidInput(flag, f"{str(path)!r} is a directory", "a file")


def write_picture(path: Path, svg: str, flag: str) -> None:
    """Write `svg` to `path`.

    Raises:
        InvalidInput: it cannot be written; names `flag`.
    """
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as fault:
        raise InvalidInput(flag, f"{path} cannot be written: {fault.strerror}", "a file that can be written") from None
