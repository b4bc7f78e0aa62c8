"""How much the zygote holds, which each call is born with."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass

_HUGE = 2 * 1024 * 1024
_MADV_COLLAPSE = 25
_HEX = 16


@dataclass(frozen=True)
class Footprint:
    """What a new process has before it does anything. A call's limits are over and above that."""

    data_bytes: int
    """As RLIMIT_DATA counts: private and writable, touched or not."""
    address_bytes: int
    """As RLIMIT_AS counts."""


def measure() -> Footprint:
    """Return what this process holds now."""
    with open("/proc/self/status", encoding="ascii") as file:
        status = file.read()
    return Footprint(_bytes(status, "VmData"), _bytes(status, "VmSize"))


def compact() -> None:
    """Put private memory into pages of 2 MiB where the kernel can: a fork then copies one entry for 512.

    Only for speed, so that a kernel that cannot is no fault.
    """
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        mappings = [line.split() for line in file]
    for mapping in mappings:
        if mapping[1] != "rw-p" or mapping[-1].startswith("/"):
            continue
        low, high = (int(edge, _HEX) for edge in mapping[0].split("-"))
        for start in range(-(-low // _HUGE) * _HUGE, high // _HUGE * _HUGE, _HUGE):
            libc.madvise(start, _HUGE, _MADV_COLLAPSE)


def _bytes(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise OSError(f"the kernel does not tell {name}")
    return int(found[1]) * 1024
