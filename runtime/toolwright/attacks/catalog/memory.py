"""RX: a tool takes all the memory it can get, and hides it."""

from __future__ import annotations

import errno
import json
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE
from toolwright.attacks.proof import same, sure
from toolwright.attacks.sabotage import FILTERS, POWERS
from toolwright.attacks.shot import returned
from toolwright.domain.limits import MIB, Limits
from toolwright.domain.outcome import Status

CASES: Final = Catalog("RX", "Memory")

_PAGE: Final = 4096
_ROOMY: Final = Limits(memory_bytes=512 * MIB)
_BLOCKS: Final = """
def f(blocks):
    kept = []
    while len(kept) != blocks:
        kept.append(b"x" * 1_048_576)
    return len(kept)
"""


@CASES.case(
    "RX-05",
    "Appends blocks of 1 MiB for ever: the call is killed for its memory, the agent is not",
    threats=("T-DOS-02",),
    differs={"runsc": "there the agent watches the memory and ends the call; its container may be thrown away"},
)
def memory_bomb(lab: Lab) -> None:
    shot = lab.fire(_BLOCKS, arguments_json='{"blocks": -1}', destructive=True)

    same((shot.status, shot.failure), (Status.OUT_OF_MEMORY, "MemoryLimit"))
    sure(shot.outcome.usage.peak_memory_bytes > 200 * MIB, "it was killed before it had much")
    sure(lab.gvisor or shot.survived, "the container was thrown away")


@CASES.control("RX-05")
def a_hundred_mebibytes_are_fine(lab: Lab) -> None:
    same(returned(lab.execute(_BLOCKS, arguments_json='{"blocks": 100}').outcome), 100)


_MEMFD: Final = PRELUDE + "def f():\n    return attempt(os.memfd_create, 'x')\n"
_SHARED: Final = """
import mmap
def f(blocks):
    kept = mmap.mmap(-1, blocks << 20, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    for block in range(blocks):
        kept[block << 20 : (block + 1) << 20] = b"x" * 1_048_576
    return blocks
"""
_UNLINKED: Final = """
import os
def f():
    written, error = 0, 0
    for name in ("one", "two"):
        fd = os.open(name, os.O_WRONLY | os.O_CREAT)
        os.unlink(name)
        try:
            while True:
                written += os.write(fd, b"x" * 65536)
        except OSError as fault:
            error = fault.errno
    return [written, error]
"""


@CASES.case(
    "RX-08",
    "Hides memory in a memfd (EPERM), a shared anonymous map (counted) and unlinked files (ENOSPC): free afterwards",
    threats=("T-DOS-02",),
)
def hidden_memory(lab: Lab) -> None:
    same(lab.fire(_MEMFD).value, "EPERM", "memfd_create")
    shared = lab.fire(_SHARED, arguments_json='{"blocks": 300}', destructive=True)
    first, second = lab.fire_pair(_UNLINKED, _UNLINKED, destructive=True)

    same(shared.status, Status.OUT_OF_MEMORY)
    full = [lab.policy.scratch_bytes, errno.ENOSPC]
    same((first.value, second.value), (full, full))


@CASES.control("RX-08")
def it_is_there_within_bounds(lab: Lab) -> None:
    same(returned(lab.execute(_SHARED, arguments_json='{"blocks": 100}').outcome), 100)
    with lab.weakened(FILTERS) as unfiltered:
        same(returned(unfiltered.run(_MEMFD)), "ok", "memfd_create")


_UNTOUCHED: Final = """
import errno, mmap
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
def f(mapped, array):
    answers = []
    for take in (lambda: mmap.mmap(-1, mapped, flags=PRIVATE), lambda: bytearray(array)):
        try:
            take()
        except OSError as fault:
            answers.append(errno.errorcode[fault.errno])
        except MemoryError:
            answers.append("MemoryError")
        else:
            answers.append("ok")
    if answers[-1] == "MemoryError":
        bytearray(array)
    return answers
"""


@CASES.case(
    "RX-09",
    "Maps 1 TiB without touching it, makes an array of 10**13 bytes: refused, and the tool is told",
    threats=("T-DOS-02",),
)
def untouched_memory(lab: Lab) -> None:
    mapped = lab.fire(_UNTOUCHED, arguments_json=json.dumps({"mapped": 2**40, "array": 10}), destructive=True)
    array = lab.fire(_UNTOUCHED, arguments_json=json.dumps({"mapped": 4096, "array": 10**13}), destructive=True)

    same(mapped.value, ["ENOMEM", "ok"])
    same((array.status, array.failure), (Status.TOOL_ERROR, "MemoryError"))


@CASES.control("RX-09")
def little_is_given(lab: Lab) -> None:
    little = lab.execute(_UNTOUCHED, arguments_json=json.dumps({"mapped": 2**26, "array": 10**7}))
    same(returned(little.outcome), ["ok", "ok"])


_LOCK: Final = (
    PRELUDE
    + """
def tell(result):
    return "ok" if result == 0 else errno.errorcode[ctypes.get_errno()]
def f():
    page = ctypes.create_string_buffer(4096)
    return {
        "mlock": tell(_libc.mlock(page, 4096)),
        "mlock2": tell(_libc.mlock2(page, 4096, 0)),
        "mlockall": tell(_libc.mlockall(1)),
    }
"""
)


@CASES.case("RX-30", "Locks its memory with mlock, mlock2 and mlockall: EPERM each", threats=("T-DOS-02",))
def locked_memory(lab: Lab) -> None:
    same(lab.fire(_LOCK).value, dict.fromkeys(("mlock", "mlock2", "mlockall"), "EPERM"))


@CASES.control("RX-30")
def memory_is_locked_by_root(lab: Lab) -> None:
    with lab.weakened(POWERS) as powerful:
        same(returned(powerful.run(_LOCK)), dict.fromkeys(("mlock", "mlock2", "mlockall"), "ok"))


_TOUCH: Final = """
import mmap
def f(bytes):
    kept = mmap.mmap(-1, bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, bytes, 4096):
        kept[at] = 1
    return sum(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSwap"))
"""


@CASES.case(
    "RX-37",
    "Touches a page more than its limit: killed for its memory, none of which may go to swap",
    threats=("T-DOS-02",),
)
def one_page_too_many(lab: Lab) -> None:
    host = lab.inspect(lab.benign().provenance.container_id)["HostConfig"]
    limit = lab.policy.limits.memory_bytes
    shot = lab.fire(_TOUCH, arguments_json=json.dumps({"bytes": limit + _PAGE}), destructive=True)
    nearly = lab.fire(_TOUCH, arguments_json=json.dumps({"bytes": limit - 48 * MIB}), destructive=True)

    same((host["Memory"], host["MemorySwap"]), (limit, limit), "memory, and memory and swap together")
    same(shot.status, Status.OUT_OF_MEMORY)
    same(nearly.value, 0, "KiB in swap")


@CASES.control("RX-37")
def it_is_given_where_more_is_allowed(lab: Lab) -> None:
    with lab.weakened(limits=_ROOMY) as roomy:
        bytes_ = Limits().memory_bytes + _PAGE
        same(returned(roomy.run(_TOUCH, arguments_json=json.dumps({"bytes": bytes_}), limits=_ROOMY)), 0)


_ODD_MEMORY: Final = (
    PRELUDE
    + """
import mmap
ANONYMOUS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
HUGE, GIGANTIC = 0x40000, 0x40000 | 30 << 26
DEVICES = ("nvidia0", "nvidiactl", "dri", "kfd", "hugepages", "mem", "udmabuf", "dma_heap")
def f():
    return {
        "shm": attempt(os.open, "/dev/shm/x", os.O_CREAT | os.O_RDWR),
        "huge": attempt(mmap.mmap, -1, 2 << 20, flags=ANONYMOUS | HUGE),
        "gigantic": attempt(mmap.mmap, -1, 1 << 30, flags=ANONYMOUS | GIGANTIC),
        "plain": attempt(mmap.mmap, -1, 2 << 20, flags=ANONYMOUS),
        "devices": [name for name in DEVICES if attempt(os.stat, f"/dev/{name}") != "ENOENT"],
    }
"""
)


@CASES.case(
    "RX-39",
    "Looks for memory that is not counted: huge pages are denied, there is no /dev/shm and no device with memory",
    threats=("T-DOS-02",),
    differs={"runsc": "gVisor shows a /dev/shm, of its own, in which a tool may make nothing"},
)
def odd_memory(lab: Lab) -> None:
    denied = {"huge": "EPERM", "gigantic": "EPERM", "plain": "ok", "devices": []}
    same(lab.fire(_ODD_MEMORY).value, {"shm": lab.golden("ENOENT", gvisor="EACCES"), **denied})


@CASES.control("RX-39")
def huge_pages_are_not_denied_without_the_filters(lab: Lab) -> None:
    """Whether there are any is the host's business; the answer is no longer that they are denied."""
    with lab.weakened(FILTERS) as unfiltered:
        answers = returned(unfiltered.run(_ODD_MEMORY))
    sure(answers["huge"] in {"ok", "ENOMEM"}, f"huge pages are refused with {answers['huge']}")


_NAMED: Final = """
import ctypes, os, time
def f(name, processes, blocks):
    ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)
    for _ in range(processes):
        if os.fork() == 0:
            kept = bytearray(b"x") * (blocks << 20)
            time.sleep(20)
            os._exit(0)
    time.sleep(1)
    with open("/proc/self/comm") as file:
        return file.read()
"""
_LIKE_A_LINE: Final = ("VmRSS:0 kB", "\nVmRSS:\t0 kB", "\nState:\tx")
_LIKE_NO_NUMBER: Final = ("VmRSS:many", "\nVmRSS:\tx")


@CASES.case(
    "RX-40",
    "Takes too much memory in processes whose name is like a line of /proc that tells how much, or like no number: "
    "counted all the same, and the agent lives",
    threats=("T-DOS-02", "T-LIE-01"),
    differs={
        "runsc": "there the agent counts, from text in which a name may hold line breaks, and ends the call; "
        "elsewhere the kernel ends the processes that hold the memory, and the call goes on"
    },
)
def named_like_a_count(lab: Lab) -> None:
    for name in _LIKE_A_LINE:
        arguments = json.dumps({"name": name, "processes": 10, "blocks": 40})
        shot = lab.fire(_NAMED, arguments_json=arguments, destructive=True, wall_time_s=5)
        same(shot.status, lab.golden(Status.SUCCESS, gvisor=Status.OUT_OF_MEMORY), f"processes named {name!r}")
        sure(lab.gvisor or shot.survived, "the container was thrown away")
    for name in _LIKE_NO_NUMBER:
        shot = lab.fire(_NAMED, arguments_json=json.dumps({"name": name, "processes": 2, "blocks": 1}))
        same((shot.status, shot.survived), (Status.SUCCESS, True), f"a process named {name!r}")


@CASES.control("RX-40")
def a_little_memory_is_fine_under_any_name(lab: Lab) -> None:
    arguments = json.dumps({"name": "VmRSS:0 kB", "processes": 2, "blocks": 20})
    same(returned(lab.execute(_NAMED, arguments_json=arguments).outcome), "VmRSS:0 kB\n")
