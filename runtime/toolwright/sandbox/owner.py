"""Says which server process a container belongs to, and whether that process still lives."""

from __future__ import annotations

from pathlib import Path

import psutil


def owner_label() -> str:
    """Return this process' label: host boot, process namespace, process id and its start time."""
    process = psutil.Process()
    return f"{_boot()}/{_namespace()}/{process.pid}/{process.create_time():.2f}"


def is_orphan(label: str) -> bool:
    """Whether the process behind `label` is surely gone.

    A process of another namespace (a server in a container of its own) can't be seen from here, so
    what belongs to it is left alone.
    """
    parts = label.split("/")
    if len(parts) != 4 or not parts[2].isdecimal():  # noqa: PLR2004 - the four parts above
        return False
    boot, namespace, pid, start = parts
    if boot != _boot():
        return True  # containers do not outlive a reboot; what is left are records of them
    if namespace != _namespace():
        return False
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" != start
    except psutil.NoSuchProcess:
        return True


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").stat().st_ino)
