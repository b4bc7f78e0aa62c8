"""The sweep: each system call by its number, with harmless arguments, in a process of its own in the sandbox.

An answer is one word for each of two sets of arguments (all 0, all -1): the name of the error, `ok`, `waits`, or
`ended` and the signal. What counts is whether a filter answered, so all that is neither EPERM nor ENOSYS is `-`.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from toolwright.domain.outcome import Outcome

GOLDEN: Final = Path(__file__).parents[1] / "golden"
HIGHEST: Final = 600
UNFILTERED: Final = {335, 336}
"""uretprobe and uprobe: Linux never asks a filter about them, and ends whoever makes them elsewhere than in a probe."""
NEW: Final = 424
"""From here on numbers are the same on every machine. A filter may not know them by name: see `differences`."""
_CHUNK = 40
"""Numbers in one call: gVisor takes 40 ms for a process, and several times that on a busy machine."""

Run = Callable[..., Outcome]
"""(code, *, arguments_json) → Outcome."""
_T = TypeVar("_T")

Answers = dict[str, str]
"""Name of the call, or `nr N` → a word for the zeros and one for the ones, classified."""

PROBE: Final = r'''
import ctypes, errno, mmap, os, select, signal, time

_libc = ctypes.CDLL(None, use_errno=True)
ANSWER_S, BUSY_S = 0.3, 20.0

def one(number, arguments):
    """Return the word for one call; a process that it makes ends here."""
    me = os.getpid()
    ctypes.set_errno(0)
    wide = [ctypes.c_long(me if one == "self" else one) for one in arguments]
    if _libc.syscall(ctypes.c_long(number), *wide) != -1:
        answer = "ok"
    else:
        answer = errno.errorcode.get(ctypes.get_errno(), "ok")
    if os.getpid() != me:
        os._exit(0)
    return answer

def old_gate():
    """getpid, number 20, by the gate of 32-bit programs."""
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    place = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return "ok" if ctypes.CFUNCTYPE(ctypes.c_int)(place)() > 0 else "EPERM"

def sleeps(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] != "R"

def answers(calls):
    """Return a word for each of `calls`, which one child makes in turn for as long as it lives."""
    got = []
    while len(got) < len(calls):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            for call in calls[len(got):]:
                os.write(writer, (call() + "\n").encode())
            os._exit(0)
        os.close(writer)
        text, begun, waits = b"", time.monotonic(), False
        while True:
            if select.select([reader], [], [], ANSWER_S)[0]:
                data = os.read(reader, 4096)
                if not data:
                    break
                text += data
            elif sleeps(pid) or time.monotonic() - begun > BUSY_S:
                waits = True
                os.kill(pid, signal.SIGKILL)
                break
        os.close(reader)
        status = os.waitpid(pid, 0)[1]
        got += text.decode().split()
        if len(got) < len(calls):
            got.append("waits" if waits else f"ended{os.WTERMSIG(status)}")
    return got[:len(calls)]

def f(numbers, probes, gate):
    found = {}
    for number in numbers:
        found[str(number)] = answers([lambda n=number, a=a: one(n, [a] * 6) for a in (0, -1)])
    for name, (number, arguments) in probes.items():
        found[name] = answers([lambda: one(number, arguments)])
    if gate:
        found["a 32-bit call"] = answers([old_gate])
    return found
'''

_CLONE, _SOCKETPAIR, _PRLIMIT, _PRCTL, _MMAP, _GETPID, _X32 = 56, 53, 302, 157, 9, 39, 0x40000000
_MADVISE, _IOCTL = 28, 16
NAMESPACES: Final = {
    "time": 0x80, "mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
    "pid": 0x20000000, "network": 0x40000000,
}  # fmt: skip
"""The flags of clone that make a namespace."""
PROBES: Final[dict[str, tuple[int, list[Any]]]] = {
    **{f"clone with a {name} namespace": (_CLONE, [flag | 17, 0, 0, 0, 0]) for name, flag in NAMESPACES.items()},
    "clone": (_CLONE, [17, 0, 0, 0, 0]),
    "socketpair of unix": (_SOCKETPAIR, [1, 1, 0, 0]),
    "socketpair of internet": (_SOCKETPAIR, [2, 1, 0, 0]),
    "socketpair of netlink": (_SOCKETPAIR, [16, 3, 0, 0]),
    "mmap of huge pages": (_MMAP, [0, 1 << 21, 3, 0x40022, -1, 0]),
    "prlimit64 by number": (_PRLIMIT, ["self", 7, 0, 0]),
    "prctl to be dumpable": (_PRCTL, [4, 1, 0, 0, 0]),
    "prctl to merge all memory": (_PRCTL, [67, 1, 0, 0, 0]),
    "prctl to merge all memory by its high half": (_PRCTL, [67, 1 << 32, 0, 0, 0]),
    "madvise to merge memory": (_MADVISE, [0, 0, 12]),
    "clone of a child for its parent": (_CLONE, [0x8000 | 17, 0, 0, 0, 0]),
    "ioctl at the start of the network": (_IOCTL, [-1, 0x8900, 0]),
    "ioctl at the end of the network": (_IOCTL, [-1, 0x89FF, 0]),
    "getpid by its x32 number": (_X32 + _GETPID, [0]),
}
"""Calls whose answer hangs on an argument: number and arguments. `self` is the caller's process."""


def names() -> dict[int, str]:
    """Return the name of each number; fails the test where they are not known."""
    path = GOLDEN / f"numbers-{platform.machine()}.json"
    assert path.exists(), f"NOT PROVEN: no numbers of system calls for {platform.machine()}"
    return {number: name for name, number in json.loads(path.read_text(encoding="ascii")).items()}


def sweep(run: Run, numbers: Iterable[int] = range(HIGHEST + 1), *, probes: bool = True) -> Answers:
    """Return what each of `numbers` answers, and each of `PROBES`.

    Args:
        run: runs code in the sandbox to be swept.
        numbers: of system calls.
        probes: whether the calls of `PROBES` are made as well.
    """
    known = names()
    found: dict[str, list[str]] = {}
    chunks = list(_batched([number for number in numbers if number not in UNFILTERED]))
    for place, chunk in enumerate(chunks):
        last = probes and place == len(chunks) - 1
        arguments = {"numbers": chunk, "probes": PROBES if last else {}, "gate": last}
        outcome = run(PROBE, arguments_json=json.dumps(arguments))
        assert outcome.result_json is not None, f"NOT PROVEN: the sweep ended with {outcome}"
        found |= json.loads(outcome.result_json)
    return {_name(key, known): " ".join(map(_class, words)) for key, words in found.items()}


def _batched(things: list[_T], size: int = _CHUNK) -> Iterator[list[_T]]:
    for start in range(0, len(things), size):
        yield things[start : start + size]


def _name(key: str, known: Mapping[int, str]) -> str:
    return known.get(int(key), f"nr {key}") if key.isdecimal() else key


def _class(word: str) -> str:
    return word if word in {"EPERM", "ENOSYS", "ended31"} else "-"


@dataclass(frozen=True, slots=True)
class Golden:
    """What the sweep has to find under one runtime, kept as a file."""

    path: Path

    @classmethod
    def of(cls, runtime: str) -> Golden:
        """Return the file of a runtime on this machine."""
        return cls(GOLDEN / f"syscalls-{runtime}-{platform.machine()}.json")

    def read(self) -> Answers:
        """Return the answers; fails the test where there are none for this machine."""
        assert self.path.exists(), f"NOT PROVEN: no golden answers in {self.path.name}"
        groups = json.loads(self.path.read_text(encoding="ascii"))
        return {name: words for words, lines in groups.items() for line in lines for name in line.split(", ")}

    def write(self, answers: Answers) -> None:
        """Keep `answers`, those of one kind together."""
        groups: dict[str, list[str]] = {}
        for name, words in answers.items():
            groups.setdefault(words, []).append(name)
        lines = {words: [", ".join(some) for some in _batched(names, 8)] for words, names in groups.items()}
        self.path.write_text(json.dumps(lines, indent=1) + "\n", encoding="ascii")


def differences(golden: Answers, seen: Answers) -> dict[str, tuple[str, str]]:
    """Return name → (golden answer, answer seen) of what is not as it should be.

    Two differences are none: a kernel that lacks a call which the filters allow says ENOSYS; and a runtime whose
    filter library does not know the newest names answers those with ENOSYS instead of EPERM, or the other way round.
    """
    unlike = {name: (golden.get(name, "none"), seen.get(name, "none")) for name in golden | seen}
    return {name: pair for name, pair in unlike.items() if pair[0] != pair[1] and not _same(name, *pair)}


def _same(name: str, golden: str, seen: str) -> bool:
    pairs = list(zip(golden.split(), seen.split(), strict=False))
    if all(old in {new, "-"} and new in {old, "ENOSYS"} for old, new in pairs):
        return True
    number = {one: nr for nr, one in names().items()}.get(name, 0)
    denials = {"EPERM", "ENOSYS"}
    return number >= NEW and name != "clone3" and denials.issuperset(golden.split() + seen.split())
