"""One call: gives up every right, then reads its payload, runs it and ends. The order is the point."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
from dataclasses import dataclass
from typing import NoReturn

from toolwright_agent import kernel, program

CONFINED = b"C"
"""First byte of the result stream: this process had given up its rights before it read its payload."""
SETUP_FAILED = 97
"""Exit status of a process that could not give up its rights. It never saw a payload."""

_ENVIRONMENT = {"PATH": "/nonexistent", "LANG": "C.UTF-8", "TZ": "UTC", "PYTHON_DISABLE_REMOTE_DEBUG": "1"}
_MIB = 1024 * 1024
_PAYLOAD_FD, _RESULT_FD, _FIRST_FREE_FD, _ASIDE = 3, 4, 5, 64


_DENIED_TOO = {resource.RLIMIT_SIGPENDING, resource.RLIMIT_MSGQUEUE, resource.RLIMIT_NICE, resource.RLIMIT_RTPRIO}
"""gVisor has no such limits to set. What they bound, the filter denies, or dies with the call."""


@dataclass(frozen=True)
class Rights:
    """What is left to the call."""

    uid: int
    group: int
    """May make its directory in the scratch space; given up once that is done."""
    scratch: str
    processes: int
    data_bytes: int
    address_bytes: int
    """0: not limited."""
    file_bytes: int
    cpu_s: int


@dataclass(frozen=True)
class Channels:
    """Pipe ends of the call."""

    payload: int
    result: int
    stdout: int
    stderr: int


def run(rights: Rights, channels: Channels, call_filter: bytes) -> NoReturn:
    """Confine this process, then run its payload. Any failure before the payload ends it with SETUP_FAILED."""
    try:
        os.setsid()
        _write("/proc/self/oom_score_adj", b"1000")  # root-owned once the ids change: now or never
        _place_channels(channels)
        _set_limits(rights)
        os.umask(0o077)
        _set_environment(rights)
        _default_signals()
        _become(rights)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        kernel.install_filter(call_filter)
        _verify(rights.uid)
        os.write(_RESULT_FD, CONFINED)
    except BaseException as fault:  # noqa: BLE001 - nothing may go on without all of the above
        _complain(fault)
        os._exit(SETUP_FAILED)
    program.run(_PAYLOAD_FD, _RESULT_FD)


def _place_channels(channels: Channels) -> None:
    null = os.open("/dev/null", os.O_RDONLY)
    wanted = (null, channels.stdout, channels.stderr, channels.payload, channels.result)
    # First out of the way of the numbers they are to have, then into place.
    aside = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ASIDE) for fd in wanted]
    for target, fd in enumerate(aside):
        os.dup2(fd, target, inheritable=False)
    os.closerange(_FIRST_FREE_FD, 65_536)


def _set_limits(rights: Rights) -> None:
    limits = {
        resource.RLIMIT_NPROC: rights.processes,
        resource.RLIMIT_DATA: rights.data_bytes,
        resource.RLIMIT_AS: rights.address_bytes or resource.RLIM_INFINITY,
        resource.RLIMIT_CPU: rights.cpu_s,
        resource.RLIMIT_FSIZE: rights.file_bytes,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_SIGPENDING: 64,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_STACK: 8 * _MIB,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
    }
    if rights.address_bytes:
        kernel.share_one_heap()
    for which, wanted in limits.items():
        soft, hard = resource.getrlimit(which)
        # A runtime may have set a lower one already; only root outside could raise it again.
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if (soft, hard) == (value, value):
            continue
        try:
            resource.setrlimit(which, (value, value))
        except ValueError:
            if which not in _DENIED_TOO:
                raise


def _set_environment(rights: Rights) -> None:
    home = _home(rights)
    os.environ.clear()
    os.environ.update(_ENVIRONMENT, HOME=home, TMPDIR=home)


def _default_signals() -> None:
    for number in signal.valid_signals():
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as every Python program has it
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that a file too large is EFBIG and no death
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _become(rights: Rights) -> None:
    uid = rights.uid
    os.setgroups([])
    os.setresgid(uid, rights.group, uid)
    os.setresuid(uid, uid, uid)
    home = _home(rights)
    os.mkdir(home, 0o700)
    os.chdir(home)
    os.setresgid(uid, uid, uid)


def _home(rights: Rights) -> str:
    return f"{rights.scratch}/{rights.uid}"


def _verify(uid: int) -> None:
    if os.getresuid() != (uid, uid, uid) or os.getresgid() != (uid, uid, uid) or os.getgroups():
        raise OSError("the ids did not change")
    with open("/proc/self/status", "rb") as status:
        fields = dict(line.split(b":\t", 1) for line in status.read().splitlines() if b":\t" in line)
    fields.setdefault(b"CapAmb", b"0")  # gVisor has no ambient set, and does not say so
    for name in (b"CapInh", b"CapPrm", b"CapEff", b"CapAmb"):
        if int(fields[name], 16):
            raise OSError(f"{name.decode()} is not empty")


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
