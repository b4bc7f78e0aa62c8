"""ES: a tool runs programs, libraries and machine code of its own, and dies of it."""

from __future__ import annotations

import signal
from typing import Any, Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import NEIGHBOUR, Lab
from toolwright.attacks.probes import PRELUDE, numbered
from toolwright.attacks.proof import same, shown, sure
from toolwright.attacks.sabotage import FILTERS, POWERS, Layer
from toolwright.attacks.shot import returned
from toolwright.domain.outcome import Status

CASES: Final = Catalog("ES", "Programs and machine code")

_COPY: Final = (
    PRELUDE
    + """
import shutil, sys
def f():
    shutil.copy(sys.executable, "program")
    os.chmod("program", 0o6755)
    with open("script", "w") as file:
        file.write("#!" + sys.executable + " -I\\n")
    os.chmod("script", 0o755)
    def ended(*how):
        return in_child(lambda: attempt(os.execve, *how, {})) or "ok"
    return {
        "mode": oct(os.stat("program").st_mode & 0o7777),
        "run": ended("program", ["program", "-I", "-S", "-c", "pass"]),
        "script": ended("script", ["script"]),
        "installed": ended(sys.executable, [sys.executable, "-I", "-S", "-c", "pass"]),
        "no new privileges": _libc.prctl(39, 0, 0, 0, 0),
        "rights": os.getresuid() == (os.getuid(),) * 3,
    }
"""
)


@CASES.case(
    "ES-24",
    "Copies a program into its scratch space, makes it setuid and executable, and runs it, a script, and what is "
    "installed: EPERM each, and no-new-privileges reads back as 1",
    threats=("T-ESC-03",),
)
def own_program(lab: Lab) -> None:
    answers = lab.fire(_COPY).value
    denied = dict.fromkeys(("run", "script", "installed"), "EPERM")
    same(answers, {"mode": "0o6755", "no new privileges": 1, "rights": True} | denied)


@CASES.control("ES-24")
def programs_run_without_the_layers(lab: Lab) -> None:
    """Without filters the scratch space still forbids it; without that as well, it runs, with its own rights."""
    with lab.weakened(FILTERS) as unfiltered:
        half = returned(unfiltered.run(_COPY))
    same((half["run"], half["installed"]), ("EACCES", "ok"), "without filters")
    with lab.weakened(FILTERS | Layer.NO_EXEC) as open_door:
        allowed = returned(open_door.run(_COPY))
    same((allowed["run"], allowed["script"]), ("ok", "ok"), "without filters and noexec")


_MEMORY: Final = (
    PRELUDE
    + """
import glob, mmap, platform, shutil, sys
# A function that asks the kernel for an internet socket and returns its answer.
ASKS = {
    "x86_64": "b829000000bf02000000be0100000031d20f05c3",
    "aarch64": "c81880d2400080d2210080d2020080d2010000d4c0035fd6",
}
def called(code):
    place = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return ctypes.CFUNCTYPE(ctypes.c_long)(place)()
def loaded(path):
    try:
        ctypes.CDLL(os.path.abspath(path))
    except OSError as fault:
        return str(fault).rpartition(": ")[2]
    return "ok"
def f(numbers):
    n = numbers
    shutil.copy(glob.glob("/usr/lib/*/libz.so.1*")[0], "library.so")
    shutil.copy("library.so", "library2.so")
    anonymous = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    anonymous.write(bytes.fromhex(ASKS[platform.machine()]))
    interpreter = os.open(sys.executable, os.O_RDONLY)
    argv = (ctypes.c_char_p * 2)(b"python", None)
    with open("library.so", "r+b") as file:
        mapped = attempt(lambda: mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC))
    return {
        "memfd": system_call(n["memfd_create"], b"probe", 0),
        "execveat": in_child(lambda: system_call(n["execveat"], interpreter, b"", argv, None, 0x1000)) or "ok",
        "fexecve": in_child(lambda: attempt(os.execve, interpreter, ["python", "-I", "-S", "-c", ""], {})) or "ok",
        "library": loaded("library.so"),
        "mapped": mapped,
        "machine code": called(anonymous),
    }
"""
)
_EPERM: Final = -1


@CASES.case(
    "ES-31",
    "Runs a program from memory or by its descriptor: EPERM; loads a library of its own: not from the scratch space; "
    "calls machine code of its own: it runs, under the same filters",
    threats=("T-ESC-03",),
    differs={"runsc": "gVisor's noexec does not keep a file from being mapped: its code runs under the same filters"},
)
def memory_programs(lab: Lab) -> None:
    answers = lab.fire(_MEMORY, arguments_json=numbered()).value

    same(
        {name: answers[name] for name in ("memfd", "execveat", "fexecve")},
        dict.fromkeys(("memfd", "execveat", "fexecve"), "EPERM"),
        "programs",
    )
    refused = lab.golden("failed to map segment from shared object", gvisor="ok")
    same(answers["library"], refused, "a library of its own")
    same(answers["mapped"], lab.golden("EPERM", gvisor="ok"), "a mapped file that can be run")
    same(answers["machine code"], _EPERM, "what the kernel answers its machine code")


@CASES.control("ES-31")
def they_run_without_the_layers(lab: Lab) -> None:
    with lab.weakened(FILTERS | Layer.NO_EXEC) as open_door:
        allowed = returned(open_door.run(_MEMORY, arguments_json=numbered()))
    sure(allowed.pop("machine code") > 0, "machine code gets no socket")
    same({name: answer for name, answer in allowed.items() if answer != "ok"}, {}, "what is denied")


_INTERPRETER: Final = (
    PRELUDE
    + """
import sys, time
def opened(path, flags=os.O_WRONLY):
    return attempt(lambda: os.close(os.open(path, flags)))
def reopened(path):
    try:
        fd = os.open(path, os.O_PATH)
    except OSError as fault:
        return errno.errorcode[fault.errno]
    try:
        return opened(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
def f(seconds):
    _libc.prctl(4, 1, 0, 0, 0)
    open("own", "w").close()
    seen, ends = {}, time.monotonic() + seconds
    while True:
        for path in ("/proc/self/exe", "/proc/1/exe", os.path.realpath(sys.executable), "own"):
            seen.setdefault(path, set()).update({opened(path), opened(path, os.O_RDWR), reopened(path)})
        if time.monotonic() >= ends:
            return {path: sorted(answers) for path, answers in seen.items()}
"""
)
_RUNTIME_PLACES: Final = ("/usr/bin/runc", "/usr/sbin/runc", "/usr/local/bin/runc", "/usr/local/sbin/runc")


@CASES.case(
    "ES-33",
    "Opens the interpreter behind /proc/self/exe and the agent's to write, directly and by handles, while calls of "
    "another container go on: denied, and the runtime's program on the host is what it was",
    threats=("T-ESC-05", "T-LAT-05"),
    differs={"runsc": "what looks from outside does not see the container's processes, nor so the runtime"},
)
def interpreter(lab: Lab) -> None:
    container = lab.benign().provenance.container_id
    before = _digests(lab, container)

    def meanwhile(_: str) -> None:
        for _again in range(3):
            lab.benign(NEIGHBOUR)

    arguments = lab.golden('{"seconds": 0.3}', gvisor='{"seconds": 0}')
    answers = lab.fire(_INTERPRETER, arguments_json=arguments, during=meanwhile).value

    same(answers.pop("own"), ["ok"], "its own file")
    denied = {"EACCES", "EPERM", "EROFS", "ETXTBSY"}
    sure(all(denied.issuperset(some) for some in answers.values()), f"answers: {answers}")
    same(len(answers), 3, "number of programs tried")
    if not lab.gvisor:
        shown(before, "the runtime's program is at none of the usual places of the host")
        same(_digests(lab, container), before, "the runtime's program")


@CASES.control("ES-33", runtimes=("runc",))
def only_the_kernel_refuses_root_on_a_writable_root(lab: Lab) -> None:
    with lab.weakened(POWERS | Layer.READ_ONLY) as writable:
        answers = returned(writable.run(_INTERPRETER, arguments_json='{"seconds": 0}'))
    same(answers["/proc/self/exe"], ["ETXTBSY"], "a program that runs")


def _digests(lab: Lab, container: str) -> dict[str, str]:
    """Return the digests of the runtime's program, where it is found on the host."""
    if lab.gvisor:
        return {}
    found = {path: lab.observer.host_digest(container, path) for path in _RUNTIME_PLACES}
    return {path: digest for path, digest in found.items() if digest}


_CRASH: Final = """
import ctypes, os, resource
def f(raised):
    if raised:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except ValueError:
            print("not raised")
        print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(4, 1, 0, 0, 0))
    else:
        return [name for name in os.listdir() if "core" in name]
    ctypes.string_at(0)
"""


@CASES.case(
    "ES-40",
    "Raises its limit on core files and dies of a fault in memory: CRASHED, the signal named, no core file: the limit "
    "is not raised, nor is the process made dumpable",
    threats=("T-LEAK-01", "T-DOS-02"),
)
def core_file(lab: Lab) -> None:
    shot = lab.fire(_CRASH, arguments_json='{"raised": true}')

    same(shot.status, Status.CRASHED, "verdict")
    sure("SIGSEGV" in f"{shot.failure} {shot.message}", f"the signal is not named: {shot.outcome.failure}")
    same(shot.outcome.stdout.kept, b"not raised\n(0, 0) -1\n", "its limit")
    looked = lab.fire(_CRASH, arguments_json='{"raised": false}')
    same(looked.value, [], "core files")


@CASES.control("ES-40")
def a_dead_child_is_seen_with_its_signal(lab: Lab) -> None:
    code = (
        "import ctypes, os\ndef f():\n    pid = os.fork()\n    if pid == 0:\n        ctypes.string_at(0)\n"
        "    return os.waitpid(pid, 0)[1]"
    )
    status: Any = lab.fire(code).value
    same(status, int(signal.SIGSEGV), "what it ended with, and that no core was written (0x80)")
