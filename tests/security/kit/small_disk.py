"""A disk that is soon full."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BLOCK = 4096


@contextmanager
def small_disk(place: Path, size: str = "2m", *, read_only: bool = False) -> Iterator[Path]:
    """Mount a file system of `size` at `place`; without the right to do that nothing is proven."""
    place.mkdir(exist_ok=True)
    mode = "ro" if read_only else "rw"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},{mode}", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"NOT PROVEN: a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def remount_read_only(place: Path) -> None:
    """Let nobody write there any more."""
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)


def fill(place: Path) -> Path:
    """Write until nothing more goes in; return the file that has to be removed."""
    filler = place / "filler"
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while True:
            os.write(fd, b"\0" * _BLOCK)
    except OSError as fault:
        if fault.errno != errno.ENOSPC:
            raise
    finally:
        os.close(fd)
    return filler
