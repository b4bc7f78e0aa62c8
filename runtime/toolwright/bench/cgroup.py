"""What the kernel counts of a container: its processes, their processor time and memory. Both versions of cgroups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")
_MICROSECONDS: Final = 1e6
_NANOSECONDS: Final = 1e9


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The directories of one container; the same one three times under version 2."""

    cpu: Path
    memory: Path
    version: int

    @classmethod
    def of(cls, pid: int) -> Cgroup:
        """Return the one that process `pid` is in.

        Raises:
            OSError: there is no such process.
        """
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii").splitlines()
        paths = {
            name: path for number, names, path in (line.split(":", 2) for line in lines) for name in names.split(",")
        }
        if "memory" in paths:
            return cls(_ROOT / "cpuacct" / paths["cpuacct"][1:], _ROOT / "memory" / paths["memory"][1:], 1)
        directory = _ROOT / paths[""][1:]
        return cls(directory, directory, 2)

    def pids(self) -> set[int]:
        """Return its processes; none once it is gone."""
        try:
            return {int(pid) for pid in (self.memory / "cgroup.procs").read_text(encoding="ascii").split()}
        except OSError:
            return set()

    def cpu_s(self) -> float:
        """Return the processor seconds of all that ever ran in it.

        Raises:
            OSError: it is gone.
        """
        if self.version == 1:
            return int((self.cpu / "cpuacct.usage").read_text(encoding="ascii")) / _NANOSECONDS
        return dict(_pairs(self.cpu / "cpu.stat"))["usage_usec"] / _MICROSECONDS

    def anonymous_bytes(self) -> int:
        """Return the bytes of memory that no file holds, each page once, however many of its processes share it.

        Raises:
            OSError: it is gone.
        """
        return dict(_pairs(self.memory / "memory.stat"))["rss" if self.version == 1 else "anon"]

    def kernel_bytes(self) -> int:
        """Return what the kernel itself holds for it: page tables, stacks, names of files.

        Raises:
            OSError: it is gone.
        """
        if self.version == 1:
            return int((self.memory / "memory.kmem.usage_in_bytes").read_text(encoding="ascii"))
        counted = dict(_pairs(self.memory / "memory.stat"))
        return counted.get("kernel", counted.get("slab", 0) + counted.get("kernel_stack", 0))


def private_bytes(pid: int) -> int:
    """Return the bytes of a process that it shares with no other; 0 once it is gone.

    Raises:
        PermissionError: it is not ours to look at.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:")))


def _pairs(path: Path) -> Iterator[tuple[str, int]]:
    for line in path.read_text(encoding="ascii").splitlines():
        name, value = line.split()
        yield name, int(value)
