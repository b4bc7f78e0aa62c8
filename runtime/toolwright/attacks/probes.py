"""What probes share: raw system calls by number, each answered with the name of its error."""

from __future__ import annotations

import json
import platform
from typing import Any, Final

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
        "rt_tgsigqueueinfo": 297, "pidfd_open": 434, "pidfd_send_signal": 424, "clone": 56, "clone3": 435, "setns": 308,
        "pidfd_getfd": 438, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "process_madvise": 440,
        "keyctl": 250, "add_key": 248, "request_key": 249, "kexec_load": 246, "kexec_file_load": 320,
        "init_module": 175, "finit_module": 313, "delete_module": 176, "reboot": 169, "swapon": 167, "swapoff": 168,
        "acct": 163, "quotactl": 179, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305,
        "iopl": 172, "ioperm": 173, "syslog": 103, "vhangup": 153, "lookup_dcookie": 212, "nfsservctl": 180,
        "sethostname": 170, "setdomainname": 171, "personality": 135, "arch_prctl": 158, "modify_ldt": 154,
        "chroot": 161, "pivot_root": 155, "name_to_handle_at": 303, "open_by_handle_at": 304, "memfd_create": 319,
        "execveat": 322, "mknodat": 259, "capset": 126, "landlock_create_ruleset": 444,
    },
    "aarch64": {
        "ptrace": 117, "unshare": 97, "mount": 40, "umount2": 39, "fsopen": 430, "fsmount": 432, "fsconfig": 431,
        "open_tree": 428, "move_mount": 429, "mount_setattr": 442, "bpf": 280, "perf_event_open": 241,
        "userfaultfd": 282, "fanotify_init": 262, "io_uring_setup": 425, "socket": 198, "socketpair": 199,
        "setuid": 146, "setreuid": 145, "setresuid": 147, "setfsuid": 151, "setgid": 144, "setregid": 143,
        "setresgid": 149, "setgroups": 159, "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138,
        "rt_tgsigqueueinfo": 240, "pidfd_open": 434, "pidfd_send_signal": 424, "clone": 220, "clone3": 435,
        "setns": 268, "pidfd_getfd": 438, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "process_madvise": 440, "keyctl": 219, "add_key": 217, "request_key": 218, "kexec_load": 104,
        "kexec_file_load": 294, "init_module": 105, "finit_module": 273, "delete_module": 106, "reboot": 142,
        "swapon": 224, "swapoff": 225, "acct": 89, "quotactl": 60, "settimeofday": 170, "clock_settime": 112,
        "adjtimex": 171, "clock_adjtime": 266, "syslog": 116, "vhangup": 58, "lookup_dcookie": 18, "nfsservctl": 42,
        "sethostname": 161, "setdomainname": 162, "personality": 92, "chroot": 51, "pivot_root": 41,
        "name_to_handle_at": 264, "open_by_handle_at": 265, "memfd_create": 279, "execveat": 281, "mknodat": 33,
        "capset": 91, "landlock_create_ruleset": 444,
    },
}  # fmt: skip


def numbers() -> dict[str, int]:
    """Return the numbers of system calls on this machine; no case is proven where they are not known."""
    machine = platform.machine()
    if machine not in _NUMBERS:
        not_proven(f"no numbers of system calls for {machine}")
    return _NUMBERS[machine]


def numbered(**values: Any) -> str:
    """Return the arguments of a probe that makes raw system calls: their `numbers`, and `values`."""
    return json.dumps({"numbers": numbers()} | values)
