"""ES: a tool makes namespaces of its own, in which it would have rights, or joins others."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE, numbered
from toolwright.attacks.proof import among, same, shown, sure
from toolwright.attacks.sabotage import FILTERS, POWERS
from toolwright.attacks.shot import returned

CASES: Final = Catalog("ES", "Namespaces")

NAMESPACES: Final = {
    "user": 0x10000000,
    "user+mount": 0x10020000,
    "user+network": 0x50000000,
    "user+pid": 0x30000000,
    "user+time": 0x10000080,
    "mount": 0x00020000,
    "network": 0x40000000,
}
UNSHARE: Final = (
    PRELUDE
    + """
def f(numbers, flags):
    return {name: in_child(lambda: system_call(numbers["unshare"], flag)) for name, flag in flags.items()}
"""
)
_OWN_USERS: Final = {"user", "user+mount", "user+network", "user+pid"}


@CASES.case(
    "ES-02",
    "Makes a namespace of users, which would give it capabilities in it, alone or with others: EPERM each",
    threats=("T-ESC-01",),
)
def unshare(lab: Lab) -> None:
    shot = lab.fire(UNSHARE, arguments_json=numbered(flags=NAMESPACES))
    same(shot.value, dict.fromkeys(NAMESPACES, "EPERM"))


@CASES.control("ES-02")
def users_make_namespaces_without_filters(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        allowed = returned(unfiltered.run(UNSHARE, arguments_json=numbered(flags=NAMESPACES)))
    refused = {name: allowed[name] for name in _OWN_USERS if allowed[name] != "ok"}
    shown(not refused, f"this kernel gives users no namespaces anyway: {refused}")


_CLONE: Final = (
    PRELUDE
    + """
import threading
SIGCHLD = 17
def cloned(number, *arguments):
    ctypes.set_errno(0)
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    pid = _libc.syscall(ctypes.c_long(number), *wide)
    if pid == 0:
        os._exit(0)
    if pid < 0:
        return errno.errorcode[ctypes.get_errno()]
    os.waitpid(pid, 0x40000000)  # __WALL
    return "ok"
def f(numbers, flags):
    answers = {name: cloned(numbers["clone"], flag | SIGCHLD, 0, 0, 0, 0) for name, flag in flags.items()}
    for name, flag in flags.items():
        wanted = (ctypes.c_uint64 * 11)(flag, 0, 0, 0, SIGCHLD)
        answers[f"clone3 {name}"] = cloned(numbers["clone3"], wanted, ctypes.sizeof(wanted))
    ended = []
    thread = threading.Thread(target=ended.append, args=("ok",))  # glibc asks for clone3 first
    thread.start()
    thread.join()
    answers["thread"] = ended[0]
    return answers
"""
)
_CLONED: Final = {"nothing new": 0} | {name: flag for name, flag in NAMESPACES.items() if flag & 0xFF == 0}


@CASES.case(
    "ES-03",
    "Makes a process in new namespaces by clone: EPERM each; by clone3, whose flags no filter can read: ENOSYS, and "
    "threads start all the same",
    threats=("T-ESC-01",),
)
def clone(lab: Lab) -> None:
    answers = lab.fire(_CLONE, arguments_json=numbered(flags=_CLONED)).value
    expected = {name: "ok" if flag == 0 else "EPERM" for name, flag in _CLONED.items()}
    same(answers, expected | {f"clone3 {name}": "ENOSYS" for name in _CLONED} | {"thread": "ok"})


@CASES.control("ES-03")
def clone_makes_namespaces_without_filters(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        allowed = returned(unfiltered.run(_CLONE, arguments_json=numbered(flags=_CLONED)))
    for name in _OWN_USERS:
        same(allowed[name], "ok", name)
    among(allowed["clone3 nothing new"], lab.golden({"ok"}, gvisor={"ok", "ENOSYS"}), "clone3")


_SETNS: Final = (
    PRELUDE
    + """
def joined(numbers, opened, kinds):
    try:
        fd = opened()
    except OSError as fault:
        return [errno.errorcode[fault.errno]]
    try:
        return sorted({in_child(lambda: system_call(numbers["setns"], fd, kind)) for kind in kinds})
    finally:
        os.close(fd)
def f(numbers):
    answers = {}
    for name in sorted(name for name in os.listdir("/proc") if name.isdecimal()):
        own = int(name) == os.getpid()
        try:
            kinds = os.listdir(f"/proc/{name}/ns")
        except OSError:
            kinds = ["user", "mnt", "pid", "net"]
        for kind in kinds:
            opened = lambda: os.open(f"/proc/{name}/ns/{kind}", os.O_RDONLY)
            answers[f"{'own' if own else 'of agent'} {kind}"] = joined(numbers, opened, [0])
        flags = [0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x08000000, 0x04000000]
        answers[f"{'own' if own else 'of agent'} pidfd"] = joined(numbers, lambda: os.pidfd_open(int(name)), flags)
    return answers
"""
)


@CASES.case(
    "ES-04",
    "Joins each namespace that it can open, its own and by handles of processes: EPERM; the agent's cannot be opened",
    threats=("T-ESC-01", "T-ESC-07"),
    differs={"runsc": "gVisor lets its few namespaces be opened but not joined, and has no handles of processes"},
)
def setns(lab: Lab) -> None:
    answers = lab.fire(_SETNS, arguments_json=numbered()).value

    handles = {answers.pop(f"{whose} pidfd")[0] for whose in ("own", "of agent")}
    same(handles, lab.golden({"EPERM"}, gvisor={"ENOSYS"}), "by handles of processes")
    own = {name: answer for name, answer in answers.items() if name.startswith("own")}
    shown({"own user", "own pid", "own net"} <= set(own), f"only {sorted(own)} were tried")
    refused = {"EPERM"} | lab.golden(set(), gvisor={"ENOENT"})
    same({name: answer for name, answer in own.items() if answer[0] not in refused}, {}, "its own, not denied")
    of_agent = {answer[0] for name, answer in answers.items() if name not in own}
    same(of_agent, lab.golden({"EACCES"}, gvisor={"EPERM", "ENOENT"}), "the agent's")


@CASES.control("ES-04", runtimes=("runc",))
def root_with_capabilities_joins_them(lab: Lab) -> None:
    with lab.weakened(POWERS) as open_door:
        allowed = returned(open_door.run(_SETNS, arguments_json=numbered()))
    for name in ("of agent net", "of agent uts", "of agent ipc", "own net"):
        same(allowed[name], ["ok"], name)
    sure("ok" in allowed["of agent pidfd"], "by a handle of a process none was joined")


_SIBLING: Final = (
    PRELUDE
    + """
def f(numbers):
    ctypes.set_errno(0)
    pid = _libc.syscall(ctypes.c_long(numbers["clone"]), ctypes.c_long(0x8000 | 17), *[ctypes.c_long(0)] * 4)
    if pid == 0:
        os._exit(0)
    return "ok" if pid > 0 else errno.errorcode[ctypes.get_errno()]
"""
)


@CASES.case(
    "ES-54",
    "Makes a child for its parent, the zygote, which does not know of it and would not collect it: EPERM",
    threats=("T-LAT-01", "T-DOS-01"),
)
def child_for_the_zygote(lab: Lab) -> None:
    shot = lab.fire(_SIBLING, arguments_json=numbered())
    same(shot.value, "EPERM")
    sure(shot.survived, "the container was thrown away")


@CASES.control("ES-54")
def the_zygote_has_a_child_without_filters(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        same(returned(unfiltered.run(_SIBLING, arguments_json=numbered())), "ok")
