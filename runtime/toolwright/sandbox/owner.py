"""Says which server process a container belongs to, and whether that process still lives."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NUMBER = re.compile(r"[1-9][0-9]{0,8}\Z")
_START_FIELD = 19
"""Of /proc/PID/stat, counted from the first one after the name."""


def owner_label() -> str:
    """Return this process' label: host boot, process namespace, process id and when it started."""
    return f"{_boot()}/{_namespace()}/{os.getpid()}/{_started('self')}"


def is_orphan(label: str) -> bool:
    """Whether the process behind `label` is surely gone.

    A process of another namespace (a server in a container of its own) can't be seen from here, so
    what belongs to it is left alone.
    """
    parts = label.split("/")
    if len(parts) != 4 or not _NUMBER.match(parts[2]):  # noqa: PLR2004 - the four parts above
        return False
    boot, namespace, pid, start = parts
    if boot != _boot():
        return True  # containers do not outlive a reboot; what is left are records of them
    if namespace != _namespace():
        return False
    try:
        os.kill(int(pid), 0)  # only asks; unlike /proc it also answers for processes that are hidden from us
        return _started(pid) != start
    except ProcessLookupError:
        return True
    except OSError:
        return False  # it is there, and not ours to look at


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _started(pid: str) -> str:
    """Return when a process started, in clock ticks since boot: unlike a time of day, it never changes."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return stat.rpartition(")")[2].split()[_START_FIELD]


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").stat().st_ino)
