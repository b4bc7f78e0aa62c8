"""Private directories for sockets, and what servers that were killed left of theirs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from toolwright.sandbox.owner import is_orphan, owner_label

_PREFIX: Final = "toolwright-"
_OWNER: Final = "owner"
_LONGEST_DIRECTORY: Final = 80
"""The path of a socket has 107 bytes on Linux."""
_LONGEST_LABEL: Final = 256


@contextmanager
def private_directory() -> Iterator[Path]:
    """Make a directory for this user alone, with a path short enough for a socket in it; first remove orphans."""
    usual = tempfile.gettempdir()
    place = usual if len(usual) <= _LONGEST_DIRECTORY else "/tmp"  # noqa: S108 - what is made in it is private
    sweep_places(Path(place))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place) as directory:
        (Path(directory) / _OWNER).write_text(owner_label(), encoding="ascii")
        yield Path(directory)


def sweep_places(place: Path) -> int:
    """Remove directories of this user in `place` whose server is surely dead; return how many."""
    removed = 0
    for directory in place.glob(f"{_PREFIX}*"):
        if _is_ours(directory) and is_orphan(_owner(directory)):
            shutil.rmtree(directory, ignore_errors=True)
            removed += not directory.exists()
    return removed


def _is_ours(directory: Path) -> bool:
    """Whether it is a directory that this user made, and no link: anybody can make one in a shared place."""
    try:
        seen = directory.lstat()
    except OSError:
        return False
    return directory.is_dir() and not directory.is_symlink() and seen.st_uid == os.geteuid()


def _owner(directory: Path) -> str:
    try:
        with (directory / _OWNER).open(encoding="ascii") as file:
            return file.read(_LONGEST_LABEL)
    except (OSError, ValueError):
        return ""
