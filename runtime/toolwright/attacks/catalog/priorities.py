"""RX: a tool takes its neighbours' share: priorities, processors, limits."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE
from toolwright.attacks.proof import same, sure
from toolwright.attacks.sabotage import POWERS
from toolwright.attacks.shot import returned

CASES: Final = Catalog("RX", "Priorities and limits")

_PRIORITIES: Final = (
    PRELUDE
    + """
import platform
IOPRIO_SET = {"x86_64": 251, "aarch64": 30}[platform.machine()]
PROCESS, REAL_TIME = 1, 1 << 13
def f():
    return {
        "nice": attempt(os.nice, -20),
        "other's nice": attempt(os.setpriority, os.PRIO_PROCESS, 1, -20),
        "fifo": attempt(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)),
        "round robin": attempt(os.sched_setscheduler, 0, os.SCHED_RR, os.sched_param(99)),
        "ioprio": system_call(IOPRIO_SET, PROCESS, 0, REAL_TIME),
        "affinity": attempt(os.sched_setaffinity, 0, os.sched_getaffinity(0)),
    }
"""
)


@CASES.case(
    "RX-31",
    "Raises its priority, asks for real time, for disk priority, for a processor: EPERM each",
    threats=("T-DOS-03",),
    differs={
        "runsc": "gVisor lets a tool choose among processors that are its own, not the host's: it changes nothing"
    },
)
def priorities(lab: Lab) -> None:
    denied = dict.fromkeys(("nice", "other's nice", "fifo", "round robin", "ioprio"), "EPERM")
    same(lab.fire(_PRIORITIES).value, denied | {"affinity": lab.golden("EPERM", gvisor="ok")})


@CASES.control("RX-31")
def root_raises_its_priority(lab: Lab) -> None:
    with lab.weakened(POWERS) as powerful:
        answers = returned(powerful.run(_PRIORITIES))
    for what in ("nice", "other's nice", "affinity"):
        same(answers[what], "ok", what)


_LIMITS: Final = """
import ctypes, errno, os, resource
libc = ctypes.CDLL(None, use_errno=True)
class Limit(ctypes.Structure):
    _fields_ = [("soft", ctypes.c_ulong), ("hard", ctypes.c_ulong)]
NAMES = [name for name in dir(resource) if name.startswith("RLIMIT_")]
FINITE = {name: resource.getrlimit(getattr(resource, name))[1] for name in NAMES}
FINITE = {name: hard for name, hard in FINITE.items() if hard != resource.RLIM_INFINITY}
def put(name, value):
    limit = Limit(value, value)
    if libc.setrlimit(getattr(resource, name), ctypes.byref(limit)) == 0:
        return "ok"
    return errno.errorcode[ctypes.get_errno()]
def of_other(pid):
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (200, 200))
    except OSError as fault:
        return errno.errorcode[fault.errno]
    return "ok"
def f():
    return {
        "loose": [name for name in NAMES if len(set(resource.getrlimit(getattr(resource, name)))) > 1],
        "finite": sorted(name.removeprefix("RLIMIT_") for name in FINITE),
        "kept": sorted({put(name, hard) for name, hard in FINITE.items()}),
        "raised": sorted({put(name, hard + 1) for name, hard in FINITE.items()}),
        "lifted": sorted({put(name, 2**64 - 1) for name in FINITE}),
        "others": [of_other(1), of_other(os.getppid())],
    }
"""
_LOWERED: Final = """
import resource
def move(soft, hard):
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except ValueError:
        return "EPERM"
    return "ok"
def f():
    return [move(100, 200), move(200, 200), move(201, 201)]
"""
_FINITE: Final = {"CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "NOFILE", "NPROC", "STACK"}
_OF_THE_HOSTS_KERNEL: Final = {"MSGQUEUE", "NICE", "RTPRIO", "SIGPENDING"}


@CASES.case(
    "RX-38",
    "Raises its limits: the soft ones are the hard ones, those stay (EPERM), and others' limits are out of its reach",
    threats=("T-DOS-02",),
    differs={
        "runsc": "gVisor has four limits less, and one on address space in place of the memory that it can't count"
    },
)
def limits(lab: Lab) -> None:
    answers = lab.fire(_LIMITS, destructive=True).value

    finite = set(answers.pop("finite"))
    missing = _FINITE | lab.golden(_OF_THE_HOSTS_KERNEL, gvisor={"AS"})
    sure(finite >= missing, f"no limit on {sorted(missing - finite)}")
    kept = lab.golden(["ok"], gvisor=["EPERM", "ok"])
    expected = {"loose": [], "kept": kept, "raised": ["EPERM"], "lifted": ["EPERM"], "others": ["EPERM", "EPERM"]}
    same(answers, expected)


@CASES.control("RX-38")
def limits_are_moved_where_they_may_be(lab: Lab) -> None:
    """Down and up again below the hard one by any tool; another process' by root."""
    same(returned(lab.execute(_LOWERED).outcome), ["ok", "ok", "EPERM"])
    with lab.weakened(POWERS) as powerful:
        same(returned(powerful.run(_LIMITS))["others"], ["ok", "ok"], "limits of other processes")
