"""The processes of one user id: whether any is left, and what they hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress


def reap() -> None:
    """Collect the orphans: as PID 1 this process inherits all of them."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def alive(uid: int) -> bool:
    """Whether any process, zombies included, belongs to `uid`."""
    try:
        os.getpriority(os.PRIO_USER, uid)
    except ProcessLookupError:
        return False
    # gVisor answers for every uid; then the process table decides.
    return any(True for _ in _statuses(uid))


def resident_bytes(uid: int) -> int:
    """Memory that all processes of `uid` hold, shared pages counted once for each."""
    total = 0
    for status in _statuses(uid):
        _, _, rest = status.partition(b"\nVmRSS:")
        total += 1024 * int(rest.split(maxsplit=1)[0]) if rest else 0
    return total


def _statuses(uid: int) -> Iterator[bytes]:
    """Yield what /proc/N/status says of every process of `uid`, but its name.

    The name stands first, and gVisor writes it as it is: a tool can name a process like any line that follows.
    """
    wanted = f"\nUid:\t{uid}\t".encode()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError), open(f"/proc/{name}/status", "rb") as file:
                _, _, status = file.read().rpartition(b"\nState:")
                if wanted in status:
                    yield status
