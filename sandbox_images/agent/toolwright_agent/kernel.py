"""The few kernel calls that the standard library does not offer."""

from __future__ import annotations

import ctypes
import os

PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
_M_ARENA_MAX = -8

_libc = ctypes.CDLL(None, use_errno=True)
_prctl = _libc.prctl
_prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
_prctl.restype = ctypes.c_int


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def prctl(option: int, value: int = 0) -> int:
    """Set one property of this process.

    Raises:
        OSError: it failed.
    """
    return _checked(_prctl(option, value, None, 0, 0), "prctl")


def share_one_heap() -> None:
    """Let all threads to come take memory from one heap.

    Else each reserves 64 MiB of addresses of its own, which it hardly uses: eight would be all that a limit on
    addresses lets a call have.
    """
    _libc.mallopt(_M_ARENA_MAX, 1)


def install_filter(program: bytes) -> None:
    """Put a seccomp filter (an array of `sock_filter`) over this thread and all it will start.

    Raises:
        OSError: the kernel refused it.
    """
    whole = _Program(len(program) // 8, program)
    _checked(
        _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.cast(ctypes.pointer(whole), ctypes.c_void_p), 0, 0),
        "seccomp",
    )


def _checked(result: int, name: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
