"""What probes share: raw system calls by number, each answered with the name of its error."""

from __future__ import annotations

import platform
from typing import Final

from toolwright.attacks.proof import not_proven

PRELUDE: Final = '''
import ctypes, errno, os

_libc = ctypes.CDLL(None, use_errno=True)

def system_call(number, *arguments):
    """Return "ok" or the name of the error."""
    ctypes.set_errno(0)
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    if _libc.syscall(ctypes.c_long(number), *wide) >= 0:
        return "ok"
    return errno.errorcode[ctypes.get_errno()]

def attempt(function, *arguments, **keywords):
    """Return "ok" or the name of the error."""
    try:
        function(*arguments, **keywords)
    except OSError as fault:
        return errno.errorcode[fault.errno]
    return "ok"

def in_child(function):
    """Return what `function` returns in a process of its own, so that what it changes ends with it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, function().encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    answer = os.read(reader, 4096).decode()
    os.close(reader)
    return answer
'''

# Not taken from the agent's own table: a wrong number there has to show.
_NUMBERS: Final = {
    "x86_64": {
        "ptrace": 101, "unshare": 272, "mount": 165, "umount2": 166, "fsopen": 430, "fsmount": 432, "fsconfig": 431,
        "open_tree": 428, "move_mount": 429, "mount_setattr": 442, "bpf": 321, "perf_event_open": 298,
        "userfaultfd": 323, "fanotify_init": 300, "io_uring_setup": 425, "socket": 41, "socketpair": 53,
        "setuid": 105, "setreuid": 113, "setresuid": 117, "setfsuid": 122, "setgid": 106, "setregid": 114,
        "setresgid": 119, "setgroups": 116, "kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129,
        "rt_tgsigqueueinfo": 297, "pidfd_open": 434, "pidfd_send_signal": 424,
    },
    "aarch64": {
        "ptrace": 117, "unshare": 97, "mount": 40, "umount2": 39, "fsopen": 430, "fsmount": 432, "fsconfig": 431,
        "open_tree": 428, "move_mount": 429, "mount_setattr": 442, "bpf": 280, "perf_event_open": 241,
        "userfaultfd": 282, "fanotify_init": 262, "io_uring_setup": 425, "socket": 198, "socketpair": 199,
        "setuid": 146, "setreuid": 145, "setresuid": 147, "setfsuid": 151, "setgid": 144, "setregid": 143,
        "setresgid": 149, "setgroups": 159, "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138,
        "rt_tgsigqueueinfo": 240, "pidfd_open": 434, "pidfd_send_signal": 424,
    },
}  # fmt: skip


def numbers() -> dict[str, int]:
    """Return the numbers of system calls on this machine; no case is proven where they are not known."""
    machine = platform.machine()
    if machine not in _NUMBERS:
        not_proven(f"no numbers of system calls for {machine}")
    return _NUMBERS[machine]
