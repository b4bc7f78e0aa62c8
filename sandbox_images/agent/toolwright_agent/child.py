"""One call: gives up every right, waits for its payload, runs it and ends. The order is the point.

It is forked and confined before there is a call for it, and waits: a call that comes then has nothing of that to wait
for. What it waits with is what it will run with; only limits that a caller may lower come with the payload.
"""

from __future__ import annotations

import os
import resource
import struct
import sys
from typing import NamedTuple, NoReturn

from toolwright_agent import footprint, inheritance, kernel, program

WAITS = b"W"
"""Sent to the relay alone, ahead of all: this process is confined and waits."""
CONFINED = b"C"
"""First byte of the result stream: this process had given up its rights before it read its payload."""
SETUP_FAILED = 97
"""Exit status of a process that could not give up its rights. It never saw a payload."""
LIMITS = struct.Struct(">IQQQI")
"""Precedes the payload, from the relay: processes, data, address space (0: not limited), file bytes, CPU seconds."""

FIRST_FREE_FD = 5
"""Descriptors below are a call's own: nothing to read, its outputs, payload and result. The zygote keeps them free."""
_PAYLOAD_FD, _RESULT_FD, _ALL_FDS = 3, 4, 65_536
_STATUS_BYTES = 8_192
_NO_CAPABILITIES = b"".join(b"\nCap%s:\t%016x" % (name, 0) for name in (b"Inh", b"Prm", b"Eff")) + b"\n"
"""The ambient ones are among the permitted, by the kernel's own rule."""


class Rights(NamedTuple):
    """What is left to the call."""

    uid: int
    group: int
    """May make its directory in the scratch space; given up once that is done."""
    home: str
    """Its directory there."""


class Channels(NamedTuple):
    """Pipe ends of the call, each above FIRST_FREE_FD."""

    payload: int
    result: int
    stdout: int
    stderr: int


def run(rights: Rights, channels: Channels, held: footprint.Footprint) -> NoReturn:
    """Confine this process, then run its payload. Any failure before the payload ends it with SETUP_FAILED.

    Args:
        rights: what it keeps.
        channels: its ends of four pipes.
        held: what it holds already; limits are over and above that.
    """
    try:
        os.setsid()
        _write("/proc/self/oom_score_adj", b"1000")  # root-owned once the ids change: now or never
        _place_channels(channels)
        os.environ["HOME"] = os.environ["TMPDIR"] = rights.home
        _become(rights)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # the change of ids may have set it again
        _verify(rights.uid)
        os.write(_RESULT_FD, WAITS)
        _set_limits(held)
        os.write(_RESULT_FD, CONFINED)
    except BaseException as fault:  # noqa: BLE001 - nothing may go on without all of the above
        _complain(fault)
        os._exit(SETUP_FAILED)
    program.run(_PAYLOAD_FD, _RESULT_FD)


def _place_channels(channels: Channels) -> None:
    # Opened anew: what is done to an open file (locks, flags) stays with it, and the zygote's outlives the call.
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0, inheritable=False)
    os.dup2(channels.stdout, 1, inheritable=False)
    os.dup2(channels.stderr, 2, inheritable=False)
    os.dup2(channels.payload, _PAYLOAD_FD, inheritable=False)
    os.dup2(channels.result, _RESULT_FD, inheritable=False)
    os.closerange(FIRST_FREE_FD, _ALL_FDS)


def _become(rights: Rights) -> None:
    uid = rights.uid
    os.setresgid(uid, rights.group, uid)
    os.setresuid(uid, uid, uid)
    os.mkdir(rights.home, 0o700)
    os.chdir(rights.home)
    os.setresgid(uid, uid, uid)


def _verify(uid: int) -> None:
    if os.getresuid() != (uid, uid, uid) or os.getresgid() != (uid, uid, uid) or os.getgroups():
        raise OSError("the ids did not change")
    fd = os.open("/proc/self/status", os.O_RDONLY)
    status = os.read(fd, _STATUS_BYTES)
    os.close(fd)
    if _NO_CAPABILITIES not in status:
        raise OSError("a set of capabilities is not empty")


def _set_limits(held: footprint.Footprint) -> None:
    """Wait for the limits of the call, and set them."""
    processes, data_bytes, address_bytes, file_bytes, cpu_s = LIMITS.unpack(os.read(_PAYLOAD_FD, LIMITS.size))
    if address_bytes:
        kernel.share_one_heap()
        inheritance.limit(resource.RLIMIT_AS, held.address_bytes + address_bytes)
    inheritance.limit(resource.RLIMIT_NPROC, processes)
    inheritance.limit(resource.RLIMIT_DATA, held.data_bytes + data_bytes)
    inheritance.limit(resource.RLIMIT_FSIZE, file_bytes)
    inheritance.limit(resource.RLIMIT_CPU, cpu_s)


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def _complain(fault: BaseException) -> None:
    text = f"call set-up failed: {type(fault).__name__}: {fault}"
    try:
        os.write(2, text.encode("utf-8", "replace")[:500])
    except OSError:
        sys.exc_info()  # nowhere to say it; the exit status tells
