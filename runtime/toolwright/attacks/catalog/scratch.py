"""RX: a tool fills the scratch space with bytes and with names."""

from __future__ import annotations

import errno
import json
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import same, sure
from toolwright.attacks.shot import returned
from toolwright.domain.limits import MIB
from toolwright.domain.outcome import Status

CASES: Final = Catalog("RX", "Scratch space")

_HELD: Final = 215 * MIB
"""Not too much by itself, but together with a full scratch space."""
_FILL: Final = """
import os
def f(files, hold):
    written, error = 0, 0
    for number in range(files):
        fd = os.open(f"file{number}", os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                written += os.write(fd, b"x" * 65536)
        except OSError as fault:
            error = fault.errno
    kept = bytearray(hold)
    for at in range(0, hold, 4096):
        kept[at] = 1
    return [written, error]
"""


@CASES.case(
    "RX-07",
    "Fills the scratch space: ENOSPC at its end, EFBIG for one file, counted as memory, free again for the next call",
    threats=("T-DOS-02", "T-LAT-02"),
    differs={
        "runsc": "files are not in the memory of a process, which is what the agent sees there: only the container's "
        "own limit counts both together"
    },
)
def full_scratch(lab: Lab) -> None:
    full = lab.fire(_FILL, arguments_json='{"files": 2, "hold": 0}', destructive=True)
    again = lab.fire(_FILL, arguments_json='{"files": 1, "hold": 0}', destructive=True)

    same(full.value, [lab.policy.scratch_bytes, errno.ENOSPC])
    # One file alone ends a page earlier than the space does, as the two limits have the same size.
    same(again.value, [lab.policy.limits.file_bytes, errno.EFBIG])
    if not lab.gvisor:
        counted = lab.fire(_FILL, arguments_json=json.dumps({"files": 2, "hold": _HELD}), destructive=True)
        same(counted.status, Status.OUT_OF_MEMORY)


@CASES.control("RX-07")
def as_much_memory_alone_is_fine(lab: Lab) -> None:
    held = lab.execute(_FILL, arguments_json=json.dumps({"files": 0, "hold": _HELD}))
    same(returned(held.outcome), [0, 0])


_SPARSE: Final = """
import errno, os
def f(bytes, collect):
    fd = os.open("sparse", os.O_RDWR | os.O_CREAT)
    ways = {
        "ftruncate": lambda: os.ftruncate(fd, bytes),
        "truncate": lambda: os.truncate("sparse", bytes),
        "fallocate": lambda: os.posix_fallocate(fd, 0, bytes),
        "pwrite": lambda: os.pwrite(fd, b"x", bytes - 1),
    }
    answers = {}
    for name, way in ways.items():
        try:
            way()
        except OSError as fault:
            answers[name] = errno.errorcode[fault.errno]
        else:
            answers[name] = "ok"
        if name != "pwrite":
            os.ftruncate(fd, 0)
    return os.read(fd, bytes).decode() if collect else answers
"""


@CASES.case(
    "RX-10",
    "Makes a sparse file of 1 PiB: EFBIG however it is made; one that may be made is refused as a result",
    threats=("T-DOS-02", "T-DOS-04"),
)
def sparse_file(lab: Lab) -> None:
    vast = lab.fire(_SPARSE, arguments_json=json.dumps({"bytes": 2**50, "collect": False}), destructive=True)
    collected = lab.fire(_SPARSE, arguments_json=json.dumps({"bytes": 16 * MIB, "collect": True}), destructive=True)

    same(vast.value, dict.fromkeys(("ftruncate", "truncate", "fallocate", "pwrite"), "EFBIG"))
    same((collected.status, collected.failure), (Status.RESULT_INVALID, "ResultTooLarge"))


@CASES.control("RX-10")
def a_small_one_is_made(lab: Lab) -> None:
    small = lab.execute(_SPARSE, arguments_json=json.dumps({"bytes": MIB, "collect": False}))
    same(returned(small.outcome), dict.fromkeys(("ftruncate", "truncate", "fallocate", "pwrite"), "ok"))


_MANY_FILES: Final = """
def f(most):
    made, error = 0, 0
    try:
        while made < most:
            open(str(made), "x").close()
            made += 1
    except OSError as fault:
        error = fault.errno
    return [made, error]
"""


@CASES.case(
    "RX-11",
    "Makes a million empty files: names run out with ENOSPC, and all are removed within a second",
    threats=("T-DOS-02", "T-LAT-02"),
    differs={
        "runsc": "gVisor ignores the limit on names, which take its own memory there, and removes them slowly: a few "
        "hundred are made and removed"
    },
)
def many_files(lab: Lab) -> None:
    most = lab.golden(1_000_000, gvisor=500)
    shot = lab.fire(_MANY_FILES, arguments_json=json.dumps({"most": most}), destructive=True)

    made, error = shot.value
    same(error, lab.golden(errno.ENOSPC, gvisor=0), "error")
    inodes = lab.golden(lab.policy.scratch_inodes, gvisor=most + 1)
    sure(0.9 * inodes < made < inodes, f"{made} files were made")
    sure(shot.survived, "the container was thrown away")
    cleaned_ms = shot.execution.timing.run_ms - shot.outcome.usage.wall_ms
    sure(cleaned_ms <= 1000, f"they were removed in {cleaned_ms:.0f} ms")


@CASES.control("RX-11", runtimes=("runc",))
def more_names_are_given_where_more_are_allowed(lab: Lab) -> None:
    with lab.weakened(scratch_inodes=20_000) as roomy:
        same(returned(roomy.run(_MANY_FILES, arguments_json='{"most": 6000}')), [6000, 0])
