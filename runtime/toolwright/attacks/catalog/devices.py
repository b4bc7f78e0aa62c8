"""ES: a tool makes and opens devices, terminals, and memory that is not its own."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE, numbered
from toolwright.attacks.proof import among, same, shown, sure
from toolwright.attacks.sabotage import POWERS, Layer
from toolwright.attacks.shot import returned

CASES: Final = Catalog("ES", "Devices")

_NODES: Final = (
    PRELUDE
    + """
import fcntl, stat
def f(numbers):
    kinds = {"memory": (0o020600, 1, 1), "null": (0o020600, 1, 3), "disk": (0o060600, 8, 0), "kmsg": (0o020600, 1, 11),
             "fifo": (0o010600, 0, 0), "terminal": (0o020600, 5, 2)}
    made = {name: system_call(numbers["mknodat"], -100, name.encode(), mode, os.makedev(major, minor))
            for name, (mode, major, minor) in kinds.items()}
    opened, asked = {}, {}
    for where, directories, files in os.walk("/dev"):
        for name in files:
            path = os.path.join(where, name)
            if stat.S_IFMT(os.lstat(path).st_mode) not in (stat.S_IFCHR, stat.S_IFBLK):
                continue
            try:
                fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
            except OSError as fault:
                opened[path] = errno.errorcode[fault.errno]
                continue
            opened[path] = "ok"
            # Add and clear randomness, reseed, make a network device, push a character, load a font.
            for number in (0x40085203, 0x5204, 0x5206, 0x5207, 0x400454CA, 0x5412, 0x541C, 0x4B61):
                asked[f"{path} {number:#x}"] = attempt(lambda: fcntl.ioctl(fd, number, bytes(64)))
            os.close(fd)
    return [made, opened, asked]
"""
)
_OPEN: Final = {f"/dev/{name}": "ok" for name in ("null", "zero", "full", "random", "urandom")}


@CASES.case(
    "ES-25",
    "Makes devices of every kind: EPERM; opens each in /dev: null, zero, full, random and urandom, and nothing can be "
    "asked of those by ioctl",
    threats=("T-ESC-03", "T-ESC-04"),
    differs={"runsc": "gVisor shuts /dev/fuse and answers for a terminal that is not there with another error"},
)
def nodes(lab: Lab) -> None:
    made, opened, asked = lab.fire(_NODES, arguments_json=numbered()).value

    same(set(made.values()), {"EPERM"}, "what was made")
    same({path: answer for path, answer in opened.items() if answer == "ok"}, _OPEN, "what could be opened")
    denied = {path: answer for path, answer in opened.items() if answer != "ok"}
    sure(set(denied.values()) <= {"ENXIO", "EACCES", "EIO"}, f"answers: {denied}")
    refused = {"EPERM", "ENOTTY", "EINVAL"}
    same({name: answer for name, answer in asked.items() if answer not in refused}, {}, "what was not refused")


@CASES.control("ES-25", runtimes=("runc",))
def root_with_capabilities_makes_devices(lab: Lab) -> None:
    with lab.weakened(POWERS | Layer.MACHINE) as open_door:
        made, _, asked = returned(open_door.run(_NODES, arguments_json=numbered()))
    same((made["null"], made["fifo"]), ("ok", "ok"), "what was made")
    same(asked["/dev/urandom 0x5204"], "ok", "a request that root may make")


_TERMINALS: Final = (
    PRELUDE
    + """
import fcntl, glob, termios
def f():
    answers = {path: attempt(lambda: os.close(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)))
               for path in ("/dev/console", "/dev/tty", "/dev/tty0", "/dev/ptmx", "/dev/pts/ptmx", "/dev/ttyS0")}
    try:
        names = glob.glob("/dev/pts/[0-9]*")
        answers["pair"] = attempt(os.openpty)
    except OSError as fault:
        names = []
    answers |= {path: attempt(lambda: os.close(os.open(path, os.O_RDWR | os.O_NOCTTY))) for path in names}
    for fd in (0, 1, 2, 4):
        answers[f"{fd} push"] = attempt(lambda: fcntl.ioctl(fd, termios.TIOCSTI, b"x"))
        answers[f"{fd} console"] = attempt(lambda: fcntl.ioctl(fd, termios.TIOCLINUX, bytes([6]) + bytes(63)))
        answers[f"{fd} take"] = attempt(lambda: fcntl.ioctl(fd, termios.TIOCSCTTY, 0))
    return answers
"""
)


@CASES.case(
    "ES-39",
    "Opens consoles and terminals, makes a pair of them, pushes characters into its descriptors: there is none, none "
    "can be made",
    threats=("T-ESC-05", "T-LAT-04"),
    differs={"runsc": "gVisor answers for the terminal that is not there with EIO"},
)
def terminals(lab: Lab) -> None:
    answers = lab.fire(_TERMINALS).value

    pushed = {name: answers.pop(name) for name in list(answers) if name[0].isdigit()}
    same(set(pushed.values()), {"ENOTTY"}, "requests to its descriptors")
    among(answers.pop("/dev/tty"), lab.golden({"ENXIO"}, gvisor={"ENXIO", "EIO"}), "/dev/tty")
    for name in ("/dev/ptmx", "/dev/pts/ptmx", "pair"):
        among(answers.pop(name), {"EACCES", "ENOENT"}, name)
    same(set(answers.values()), {"ENOENT"}, f"the others of {sorted(answers)}")


@CASES.control("ES-39")
def root_makes_a_pair(lab: Lab) -> None:
    with lab.weakened(POWERS) as rooted:
        answers = returned(rooted.run(_TERMINALS))
    same(answers["pair"], "ok", "a pair of terminals")


_FOREIGN: Final = (
    PRELUDE
    + """
import mmap, time
VSYSCALL = 0xFFFFFFFFFF600000
def in_use(filled):
    with mmap.mmap(-1, 64 << 20) as memory:
        if filled:
            memory[12345] = 1
        return sum(1 for at in range(0, len(memory), 1 << 20) if memory[at:at + (1 << 20)].strip(b"\\0"))
def f(filled):
    answers = {path: attempt(lambda: os.close(os.open(path, os.O_RDONLY)))
               for path in ("/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore", "/proc/kmem", "/dev/cpu/0/msr",
                            "/dev/hpet", "/dev/kvm", "/dev/nvram")}
    pid = os.fork()
    if pid == 0:
        ctypes.string_at(VSYSCALL, 1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    with open("sparse", "w+b") as file:
        file.truncate(1 << 20)
        sparse = len(file.read().strip(b"\\0"))
    os.unlink("sparse")
    heap = bytes(ctypes.create_string_buffer(1 << 20))
    times = [time.clock_gettime(one) for one in (time.CLOCK_MONOTONIC, time.CLOCK_REALTIME)]
    return {"devices": answers, "vsyscall": status, "memory": in_use(filled), "sparse": sparse,
            "heap": len(heap.strip(b"\\0")), "clock": all(one > 0 for one in times)}
"""
)
_READ_IT: Final = 0
_FAULT: Final = 11


@CASES.case(
    "ES-53",
    "Reads memory that is not its own by devices, and what is fresh from the kernel: no such device, fresh memory and "
    "files are all zeros; of the old page of system calls at most the code that all processes have can be read",
    threats=("T-LEAK-01", "T-LAT-04"),
    differs={"runsc": "gVisor's page of old system calls can be read: it is the same in every process"},
)
def foreign_memory(lab: Lab) -> None:
    answers = lab.fire(_FOREIGN, arguments_json='{"filled": false}').value

    sure(set(answers["devices"].values()) <= {"ENOENT", "EACCES"}, f"devices: {answers['devices']}")
    among(answers["vsyscall"] & 0x7F, {_FAULT, _READ_IT}, "what reading the old page ended with")
    same((answers["memory"], answers["sparse"], answers["heap"]), (0, 0, 0), "what fresh memory holds")
    shown(answers["clock"], "there is no clock")


@CASES.control("ES-53")
def what_is_in_memory_is_seen(lab: Lab) -> None:
    same(lab.fire(_FOREIGN, arguments_json='{"filled": true}').value["memory"], 1, "pages that hold something")
