"""What every call inherits from the zygote: set there once, before the first fork, as none of it differs by call.

A fork keeps all of it, and nothing that a call may do takes it back: limits only go down, and a filter of system
calls stays. The zygote itself needs nothing that is given up here.
"""

from __future__ import annotations

import os
import resource
import signal

from toolwright_agent import kernel

_ENVIRONMENT = {"PATH": "/nonexistent", "LANG": "C.UTF-8", "TZ": "UTC", "PYTHON_DISABLE_REMOTE_DEBUG": "1"}
_MIB = 1024 * 1024
_LIMITS = {
    resource.RLIMIT_NOFILE: 256,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_SIGPENDING: 64,
    resource.RLIMIT_MSGQUEUE: 0,
    resource.RLIMIT_MEMLOCK: 0,
    resource.RLIMIT_STACK: 8 * _MIB,
    resource.RLIMIT_NICE: 0,
    resource.RLIMIT_RTPRIO: 0,
}
_NOT_EVERYWHERE = {resource.RLIMIT_SIGPENDING, resource.RLIMIT_MSGQUEUE, resource.RLIMIT_NICE, resource.RLIMIT_RTPRIO}
"""gVisor has no such limits to set. What they bound, the filter denies, or dies with the call."""


def confine(call_filter: bytes) -> None:
    """Take from this process, and from all that it will fork, what no call may have.

    Raises:
        OSError, ValueError: something could not be given up. Then nothing may be forked.
    """
    os.umask(0o077)
    os.environ.clear()
    os.environ.update(_ENVIRONMENT)
    _default_signals()
    os.setgroups([])
    for which, wanted in _LIMITS.items():
        try:
            limit(which, wanted)
        except ValueError:
            if which not in _NOT_EVERYWHERE:
                raise
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.install_filter(call_filter)


def limit(which: int, wanted: int) -> None:
    """Lower one limit of this process to `wanted`, for ever.

    Raises:
        ValueError: the kernel has no such limit.
    """
    soft, hard = resource.getrlimit(which)
    # A runtime may have set a lower one already; only root outside could raise it again.
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if (soft, hard) != (value, value):
        resource.setrlimit(which, (value, value))


def _default_signals() -> None:
    for number in signal.valid_signals():
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as every Python program has it
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that a file too large is EFBIG and no death
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
