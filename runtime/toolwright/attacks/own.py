"""What this process uses: it stands for the server, which may keep nothing of an attack."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import psutil

_SPARE_FDS, _SPARE_THREADS, _SPARE_BYTES = 16, 8, 96 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Own:
    """Descriptors, threads and resident bytes of this process."""

    fds: int
    threads: int
    resident: int

    @classmethod
    def measure(cls) -> Own:
        """Return what is used now."""
        process = psutil.Process()
        return cls(process.num_fds(), threading.active_count(), process.memory_info().rss)

    def growth(self) -> str:
        """Return what is used beyond this and a little; empty if nothing."""
        now = Own.measure()
        grown = {
            "descriptors": now.fds - self.fds - _SPARE_FDS,
            "threads": now.threads - self.threads - _SPARE_THREADS,
            "bytes": now.resident - self.resident - _SPARE_BYTES,
        }
        return ", ".join(f"{beyond} {name} too many" for name, beyond in grown.items() if beyond > 0)
