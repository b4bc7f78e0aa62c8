"""ES: a tool makes system calls that no tool needs: the machine's own business, and where kernels had their faults."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE, numbered, numbers
from toolwright.attacks.proof import among, same, shown, sure
from toolwright.attacks.sabotage import FILTERS, POWERS, Layer
from toolwright.attacks.shot import returned
from toolwright.domain.outcome import Status

CASES: Final = Catalog("ES", "System calls that no tool needs")

_KEYS: Final = (
    PRELUDE
    + """
def f(numbers):
    n = numbers
    JOIN, GET, UPDATE, DESCRIBE, SEARCH = 1, 0, 2, 6, 10
    THREAD, PROCESS, SESSION, USER = -1, -2, -3, -4
    return {
        "join by name": system_call(n["keyctl"], JOIN, b"probe"),
        "own keyring": system_call(n["keyctl"], GET, PROCESS, 1),
        "user's keyring": system_call(n["keyctl"], GET, USER, 1),
        "search": system_call(n["keyctl"], SEARCH, SESSION, b"user", b"probe", 0),
        "add_key": system_call(n["add_key"], b"user", b"probe", b"data", 4, PROCESS),
        "request_key": system_call(n["request_key"], b"user", b"probe", None, PROCESS),
    }
"""
)


@CASES.case(
    "ES-18",
    "Joins a session's keyring by its name, adds, searches and requests keys: EPERM each",
    threats=("T-LAT-04", "T-LEAK-02"),
)
def keys(lab: Lab) -> None:
    same(set(lab.fire(_KEYS, arguments_json=numbered()).value.values()), {"EPERM"}, "answers")


@CASES.control("ES-18", runtimes=("runc",))
def keys_without_filters(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        allowed = returned(unfiltered.run(_KEYS, arguments_json=numbered()))
    for name in ("join by name", "own keyring", "add_key"):
        same(allowed[name], "ok", name)
    sure("EPERM" not in allowed.values(), f"without filters: {allowed}")


KERNEL_SURFACE: Final = (
    PRELUDE
    + """
def f(numbers):
    n = numbers
    event = (ctypes.c_char * 128).from_buffer_copy((1).to_bytes(4, "little") + (128).to_bytes(4, "little") + bytes(120))
    bpf_map = b"".join(value.to_bytes(4, "little") for value in (2, 4, 4, 1)) + bytes(112)  # an array of one
    return {
        "bpf": system_call(n["bpf"], 0, (ctypes.c_char * 128).from_buffer_copy(bpf_map), 128),
        "perf_event_open": system_call(n["perf_event_open"], event, 0, -1, -1, 0),
        "userfaultfd": system_call(n["userfaultfd"], 1),
        "fanotify_init": system_call(n["fanotify_init"], 0, 0),
        "io_uring_setup": system_call(n["io_uring_setup"], 4, (ctypes.c_char * 120)()),
    }
"""
)


@CASES.case(
    "ES-19",
    "Asks for BPF, perf events, userfaultfd, fanotify and io_uring, behind which most faults of kernels were found: "
    "EPERM each",
    threats=("T-ESC-01",),
)
def kernel_surface(lab: Lab) -> None:
    same(set(lab.fire(KERNEL_SURFACE, arguments_json=numbered()).value.values()), {"EPERM"}, "answers")


@CASES.control("ES-19")
def root_with_capabilities_gets_them(lab: Lab) -> None:
    """What a kernel was built without nobody gets: ENOSYS. With no memory to lock, rings get as far as ENOMEM."""
    with lab.weakened(POWERS) as open_door:
        allowed = returned(open_door.run(KERNEL_SURFACE, arguments_json=numbered()))
    if lab.gvisor:
        sure(set(allowed.values()) <= {"ok", "ENOSYS", "ENODEV", "EPERM"}, f"without filters: {allowed}")
        sure("ENOSYS" in allowed.values(), f"without filters the kernel itself does not answer: {allowed}")
        return
    same(allowed["bpf"], "ok", "bpf")
    among(allowed["io_uring_setup"], {"ok", "ENOMEM", "ENOSYS"}, "io_uring_setup")
    for name in ("perf_event_open", "userfaultfd", "fanotify_init"):
        among(allowed[name], {"ok", "ENOSYS"}, name)


_MACHINE: Final = (
    PRELUDE
    + """
# Whoever is allowed to make these calls changes nothing by them: bad magic, no such file, no time given, size asked.
CALLS = {
    "kexec_load": (0, 17, 1, 0), "kexec_file_load": (-1, -1, 0, None, 0), "init_module": (None, 0, b""),
    "finit_module": (-1, b"", 0), "delete_module": (b"no such module", 0o4000), "reboot": (0, 0, 0, None),
    "swapon": (b"/nonexistent", 0), "swapoff": (b"/nonexistent",), "acct": (b"/nonexistent",),
    "quotactl": (0x80000700, b"/nonexistent", 0, None), "settimeofday": (None, None), "clock_settime": (0, None),
    "adjtimex": (None,), "clock_adjtime": (0, None), "iopl": (0,), "ioperm": (0, 1, 0), "syslog": (10, None, 0),
    "vhangup": (), "lookup_dcookie": (0, None, 0), "nfsservctl": (0, None, None), "sethostname": (None, -1),
    "setdomainname": (None, -1),
}
def f(numbers):
    return {name: system_call(numbers[name], *CALLS[name]) for name in CALLS if name in numbers}
"""
)


@CASES.case(
    "ES-20",
    "Asks for what is the machine's own business (modules, kexec, reboot, swap, accounting, clocks, ports, log, names)"
    ": EPERM each",
    threats=("T-ESC-04",),
)
def the_machine(lab: Lab) -> None:
    answers = lab.fire(_MACHINE, arguments_json=numbered()).value
    same({name: answer for name, answer in answers.items() if answer != "EPERM"}, {}, "what was not denied")
    sure(len(answers) >= 20, f"only {sorted(answers)} were tried")


@CASES.control("ES-20", runtimes=("runc",))
def root_with_capabilities_is_not_denied(lab: Lab) -> None:
    with lab.weakened(POWERS | Layer.MACHINE) as open_door:
        allowed = returned(open_door.run(_MACHINE, arguments_json=numbered()))
    same({name for name, answer in allowed.items() if answer == "EPERM"}, set(), "what is denied with all rights")
    for name in ("settimeofday", "syslog"):
        same(allowed[name], "ok", name)


_LAYOUT: Final = (
    PRELUDE
    + """
def f(numbers):
    n, base = numbers, ctypes.c_ulong()
    answers = {
        "addresses": system_call(n["personality"], 0x0040000),
        "read means execute": system_call(n["personality"], 0x0400000),
        "other kernel": system_call(n["personality"], 0x0020000),
    }
    if "modify_ldt" in n:
        answers["segments"] = system_call(n["modify_ldt"], 0, (ctypes.c_char * 16)(), 16)
        answers["written segments"] = system_call(n["modify_ldt"], 1, (ctypes.c_char * 16)(), 16)
        answers["own registers"] = system_call(n["arch_prctl"], 0x1003, ctypes.byref(base))
    return answers
"""
)
_EPERM: Final = -1
_OLD_GATE: Final = r"""
import ctypes, mmap
def f():
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\xa6\x00\x00\x00\xcd\x80\xc3")  # vm86, number 166 of 32-bit programs, by their gate
    place = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return ctypes.CFUNCTYPE(ctypes.c_int)(place)()
"""


@CASES.case(
    "ES-44",
    "Switches off the randomness of addresses, makes segments of its own: EPERM; makes a call of 32-bit programs (vm86)"
    " by their gate: killed. It may ask for its own registers",
    threats=("T-ESC-01",),
    differs={
        "runsc": "gVisor takes what comes by that gate for a call of 64-bit programs, and the same filter denies it"
    },
)
def address_layout(lab: Lab) -> None:
    answers = lab.fire(_LAYOUT, arguments_json=numbered()).value
    on_x86 = "modify_ldt" in numbers()
    same(answers.pop("own registers", "ok"), "ok", "own registers")
    same(set(answers.values()), {"EPERM"}, "answers")
    if on_x86:
        gate = lab.fire(_OLD_GATE)
        if lab.gvisor:
            same(gate.value, _EPERM, "what the old gate answers")
        else:
            same((gate.status, gate.failure), (Status.CRASHED, "SIGSYS"), "verdict on the old gate")


@CASES.control("ES-44")
def personalities_change_without_filters(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        allowed = returned(unfiltered.run(_LAYOUT, arguments_json=numbered()))
    among(allowed["addresses"], lab.golden({"ok"}, gvisor={"ok", "EINVAL"}), "addresses")


_MERGED: Final = (
    PRELUDE
    + """
import mmap
def f():
    kept = mmap.mmap(-1, 1 << 20)
    return [attempt(kept.madvise, 12), attempt(kept.madvise, mmap.MADV_WILLNEED), _libc.prctl(67, 1, 0, 0, 0)]
"""
)


@CASES.case(
    "ES-56",
    "Has its memory merged with equal pages of anybody's on the host, to learn from the time of a write what others "
    "hold: EPERM for a range and for all of it",
    threats=("T-LAT-06",),
)
def merged_memory(lab: Lab) -> None:
    same(lab.fire(_MERGED).value, ["EPERM", "ok", -1])


@CASES.control("ES-56", runtimes=("runc",))
def memory_is_merged_without_filters(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        ranged, _, _ = returned(unfiltered.run(_MERGED))
    shown(ranged == "ok", f"this kernel merges no memory: {ranged}")
