"""The second seccomp filter: over every call, under every runtime, and over the zygote that forks them.

The container's own profile (`seccomp.json`) is the first; runsc ignores it, so what matters most is
denied here again. A rule is a row of data with its reason; the program is made once, before any fork.
"""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass

_LD_W_ABS, _JEQ, _JSET, _JGE, _RET = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_KILL_PROCESS = 0x80000000
_NR, _ARCH, _ARG0, _ARG_BYTES = 0, 4, 16, 8
_LOW_HALF, _HIGH_HALF_AT = 0xFFFFFFFF, 4
"""Both machines are little-endian."""
_X32_BIT = 0x40000000

_NAMESPACES = 0x7E020080
"""CLONE_NEWTIME | NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET."""
_AF_UNIX = 1
_MAP_HUGETLB = 0x40000
_CLONE_PARENT = 0x8000
_PR_SET_DUMPABLE, _PR_SET_MEMORY_MERGE = 4, 67
_MADV_MERGEABLE = 12
_OF_SOCKETS = (0x8900, 0x89FF)
"""What ioctl asks of a socket's network."""


@dataclass(frozen=True)
class Rule:
    """One or more system calls that a tool may not make, and why."""

    names: tuple[str, ...]
    why: str
    error: int = errno.EPERM
    argument: int = 0
    """Which argument decides, where not all calls are denied; 0 is the first."""
    unless: int | None = None
    """Allowed when that argument has exactly this value."""
    only: tuple[int, ...] = ()
    """Denied only when that argument has exactly one of these values."""
    next_unless: int | None = None
    """With `only`: allowed all the same when the argument after that one has exactly this value."""
    between: tuple[int, int] | None = None
    """Denied only when that argument is one of these values, or between them."""
    if_bits: int = 0
    """Denied only when that argument has one of these bits."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


RULES = (
    Rule(("execve", "execveat"), "a tool is Python; another program would be outside every check on it"),
    Rule(("socket",), "no way out, no way to a neighbour"),
    Rule(("socketpair",), "asyncio's self-pipe needs a pair of unix sockets; no other family", unless=_AF_UNIX),
    Rule(("bind", "listen", "accept", "accept4", "connect"), "a path or abstract socket would outlive the call's view"),
    Rule(("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"), "looks into other processes"),
    Rule(("unshare", "setns"), "a namespace of one's own gives capabilities in it"),
    Rule(
        ("clone",),
        "the same by clone; and no child for the zygote, which would not collect it",
        if_bits=_NAMESPACES | _CLONE_PARENT,
    ),
    Rule(("clone3",), "its flags are behind a pointer; ENOSYS makes libc use clone", error=errno.ENOSYS),
    Rule(
        _names(
            "mount umount2 pivot_root chroot fsopen fsconfig fsmount fspick open_tree open_tree_attr move_mount"
            " mount_setattr statmount listmount"
        ),
        "changes or maps the file tree",
    ),
    Rule(("name_to_handle_at", "open_by_handle_at"), "opens files past the path checks"),
    Rule(("keyctl", "add_key", "request_key"), "keyrings outlive a call"),
    Rule(("bpf", "perf_event_open", "userfaultfd", "fanotify_init", "lookup_dcookie"), "kernel attack surface"),
    Rule(("io_uring_setup", "io_uring_enter", "io_uring_register"), "does system calls past this filter"),
    Rule(("memfd_create", "memfd_secret"), "memory that runs as a file, past noexec"),
    Rule(("splice", "tee", "vmsplice"), "page-cache write class of kernel faults"),
    Rule(
        _names("shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl"),
        "System V objects outlive a call",
    ),
    Rule(
        ("mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr"), "queues outlive it"
    ),
    Rule(
        _names(
            "kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff acct"
            " quotactl quotactl_fd syslog settimeofday clock_settime clock_adjtime adjtimex iopl ioperm modify_ldt"
            " sethostname setdomainname vhangup nfsservctl"
        ),
        "the machine's own business",
    ),
    Rule(("personality",), "switches off address randomisation"),
    Rule(
        ("prctl",),
        "dumpable again, it would own its files in /proc, its score for the OOM killer among them, and its core image"
        " could go to a program of the host's, which no limit on core files bounds; for merging see madvise. Each"
        " call gives up being dumpable itself",
        only=(_PR_SET_DUMPABLE, _PR_SET_MEMORY_MERGE),
        next_unless=0,
    ),
    Rule(
        ("madvise",),
        "pages merged with equal ones of anybody's on the host: how long a write takes tells what others hold",
        argument=2,
        only=(_MADV_MERGEABLE,),
    ),
    Rule(
        ("ioctl",),
        "any socket, so a pair too, reaches devices of the network by it, and makes the host load its modules",
        argument=1,
        between=_OF_SOCKETS,
    ),
    Rule(("mknod", "mknodat"), "devices; mkfifo goes with it, as a fifo can hold up a cleaner"),
    Rule(("setxattr", "lsetxattr", "fsetxattr", "setxattrat"), "attributes hide what statfs does not count"),
    Rule(("mlock", "mlock2", "mlockall"), "memory that can't be taken back"),
    Rule(("mmap",), "the host's huge pages, which no memory limit counts", argument=3, if_bits=_MAP_HUGETLB),
    Rule(
        ("sched_setscheduler", "sched_setattr", "sched_setparam", "setpriority", "ioprio_set"), "its neighbours' share"
    ),
    Rule(("prlimit64",), "other processes' limits", unless=0),
)

# Numbers by machine; a name that a machine does not have is left out of its table.
_X86_64 = {
    "mmap": 9, "ioctl": 16, "madvise": 28,
    "clone": 56, "execve": 59, "ptrace": 101, "syslog": 103, "socket": 41, "connect": 42, "accept": 43,
    "bind": 49, "listen": 50, "socketpair": 53, "shmget": 29, "shmat": 30, "shmctl": 31, "semget": 64, "semop": 65,
    "semctl": 66, "shmdt": 67, "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "mknod": 133, "personality": 135,
    "setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144, "mlock": 149, "mlockall": 151,
    "vhangup": 153, "modify_ldt": 154, "pivot_root": 155, "prctl": 157, "adjtimex": 159, "chroot": 161, "acct": 163,
    "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169,
    "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176,
    "quotactl": 179, "nfsservctl": 180, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "lookup_dcookie": 212,
    "semtimedop": 220, "clock_settime": 227, "mq_open": 240, "mq_unlink": 241, "mq_timedsend": 242,
    "mq_timedreceive": 243, "mq_notify": 244, "mq_getsetattr": 245, "kexec_load": 246, "add_key": 248,
    "request_key": 249, "keyctl": 250, "ioprio_set": 251, "mknodat": 259, "unshare": 272, "splice": 275, "tee": 276,
    "vmsplice": 278, "accept4": 288, "perf_event_open": 298, "fanotify_init": 300, "prlimit64": 302,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310,
    "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "sched_setattr": 314, "memfd_create": 319,
    "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323, "mlock2": 325, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429, "fsopen": 430,
    "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435, "pidfd_getfd": 438, "mount_setattr": 442,
    "quotactl_fd": 443, "memfd_secret": 447, "statmount": 457, "listmount": 458, "setxattrat": 463,
    "open_tree_attr": 467,
}  # fmt: skip
_AARCH64 = {
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "lookup_dcookie": 18, "ioctl": 29, "ioprio_set": 30, "mknodat": 33,
    "umount2": 39, "mount": 40, "pivot_root": 41, "nfsservctl": 42, "chroot": 51, "vhangup": 58, "quotactl": 60,
    "vmsplice": 75, "splice": 76, "tee": 77, "acct": 89, "personality": 92, "unshare": 97, "kexec_load": 104,
    "init_module": 105, "delete_module": 106, "clock_settime": 112, "syslog": 116, "ptrace": 117,
    "sched_setparam": 118, "sched_setscheduler": 119, "setpriority": 140, "reboot": 142, "sethostname": 161,
    "setdomainname": 162, "prctl": 167, "settimeofday": 170, "adjtimex": 171, "mq_open": 180, "mq_unlink": 181,
    "mq_timedsend": 182, "mq_timedreceive": 183, "mq_notify": 184, "mq_getsetattr": 185, "msgget": 186,
    "msgctl": 187, "msgrcv": 188, "msgsnd": 189, "semget": 190, "semctl": 191, "semtimedop": 192, "semop": 193,
    "shmget": 194, "shmctl": 195, "shmat": 196, "shmdt": 197, "socket": 198, "socketpair": 199, "bind": 200,
    "listen": 201, "accept": 202, "connect": 203, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220,
    "execve": 221, "mmap": 222, "swapon": 224, "swapoff": 225, "mlock": 228, "mlockall": 230, "madvise": 233,
    "perf_event_open": 241,
    "accept4": 242, "prlimit64": 261, "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265,
    "clock_adjtime": 266, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
    "finit_module": 273, "sched_setattr": 274, "memfd_create": 279, "bpf": 280, "execveat": 281, "userfaultfd": 282,
    "mlock2": 284, "kexec_file_load": 294, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "clone3": 435, "pidfd_getfd": 438, "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447,
    "statmount": 457, "listmount": 458, "setxattrat": 463,
    "open_tree_attr": 467,
}  # fmt: skip
_MACHINES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}


def build(machine: str | None = None) -> bytes:
    """Return the filter for `machine` (default: this one) as an array of `sock_filter`.

    Raises:
        KeyError: no table for this machine. Then no call may run.
    """
    arch, numbers = _MACHINES[machine or os.uname().machine]
    program = [
        _op(_LD_W_ABS, _ARCH),
        _op(_JEQ, arch, 1, 0),
        _op(_RET, _KILL_PROCESS),
        _op(_LD_W_ABS, _NR),
    ]
    if arch == _MACHINES["x86_64"][0]:
        program += [_op(_JGE, _X32_BIT, 0, 1), _op(_RET, _ERRNO | errno.ENOSYS)]
    for rule in RULES:
        for name in rule.names:
            if name in numbers:
                program += _check(numbers[name], rule)
    program.append(_op(_RET, _ALLOW))
    return b"".join(program)


def _check(number: int, rule: Rule) -> list[bytes]:
    """Return the ops for one system call; the accumulator holds its number before and after."""
    deny = _op(_RET, _ERRNO | rule.error)
    test = _test(rule)
    if not test:
        return [_op(_JEQ, number, 0, 1), deny]
    # Not this call: skip the ops below. They leave by a return or reload the number.
    return [
        _op(_JEQ, number, 0, len(test) + 3),
        _load(rule.argument),
        *test,
        deny,
        _op(_LD_W_ABS, _NR),
    ]


def _test(rule: Rule) -> list[bytes]:
    """Return the ops that go on to the one behind them if the argument is denied, and skip that one if not."""
    if rule.unless is not None:
        return [_op(_JEQ, rule.unless, 1, 0)]
    if rule.between is not None:
        low, high = rule.between
        return [_op(_JGE, low, 0, 2), _op(_JGE, high + 1, 1, 0)]
    if rule.only:
        *others, last = rule.only
        ahead = [_op(_JEQ, value, len(others) - at, 0) for at, value in enumerate(others)]
        if rule.next_unless is None:
            return [*ahead, _op(_JEQ, last, 0, 1)]
        allowed = rule.next_unless  # in both halves, as the kernel reads all 64 bits of some
        return [
            *ahead,
            _op(_JEQ, last, 0, 5),
            _load(rule.argument + 1),
            _op(_JEQ, allowed & _LOW_HALF, 0, 2),
            _op(_LD_W_ABS, _ARG0 + _ARG_BYTES * (rule.argument + 1) + _HIGH_HALF_AT),
            _op(_JEQ, allowed >> 32, 1, 0),
        ]
    return [_op(_JSET, rule.if_bits, 0, 1)] if rule.if_bits else []


def _load(argument: int) -> bytes:
    return _op(_LD_W_ABS, _ARG0 + _ARG_BYTES * argument)


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
