"""RX: a few bytes that become very many: numbers, archives, exceptions, nesting."""

from __future__ import annotations

import json
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import among, same, sure
from toolwright.attacks.shot import returned
from toolwright.domain.limits import MIB
from toolwright.domain.outcome import Status

CASES: Final = Catalog("RX", "Small causes, large effects")

_NUMBERS: Final = """
def f(tower, bits):
    if tower:
        9 ** 9 ** tower
    return len(str(1 << bits))
"""


@CASES.case(
    "RX-21",
    "Computes 9**9**9, writes out an integer of a million digits: ended at its time; refused by the limit on digits",
    threats=("T-DOS-03",),
)
def large_numbers(lab: Lab) -> None:
    power = lab.fire(_NUMBERS, arguments_json='{"tower": 9, "bits": 1}', destructive=True, wall_time_s=0.3)
    digits = lab.fire(_NUMBERS, arguments_json='{"tower": 0, "bits": 3400000}', destructive=True)

    among(power.status, {Status.TIMEOUT, Status.OUT_OF_MEMORY}, "verdict")
    same((digits.status, digits.failure), (Status.TOOL_ERROR, "ValueError"))
    sure(digits.message.startswith("Exceeds the limit (4300 digits)"), f"it was told {digits.message[:100]!r}")


@CASES.control("RX-21")
def four_thousand_digits_are_fine(lab: Lab) -> None:
    same(returned(lab.execute(_NUMBERS, arguments_json='{"tower": 3, "bits": 13000}').outcome), 3914)


_BOMBS: Final = """
import gzip, io, lzma, zipfile
MIB = 1 << 20
def pack(entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(entries):
            archive.writestr(str(number), data)
    return buffer.getvalue()
def unpack(data, kept):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            kept.append(archive.read(name))
            if kept[-1][:2] == b"PK":
                unpack(kept[-1], kept)
    return sum(map(len, kept)) // MIB
def zip_of_zips(mib):
    return unpack(pack([pack([bytes(8 * MIB)])] * (mib // 8)), [])
def of_xz(mib):
    return len(lzma.decompress(lzma.compress(bytes(8 * MIB), preset=0) * (mib // 8))) // MIB
def of_gzip(mib):
    return len(gzip.decompress(gzip.compress(bytes(8 * MIB), 1) * (mib // 8))) // MIB
def f(kind, mib):
    return {"gzip": of_gzip, "lzma": of_xz, "zip": zip_of_zips}[kind](mib)
"""


@CASES.case(
    "RX-32",
    "Unpacks bombs of gzip and lzma and a zip of zips: ended for its memory; nothing is unpacked outside",
    threats=("T-DOS-02",),
)
def decompression(lab: Lab) -> None:
    for kind in ("gzip", "lzma", "zip"):
        arguments = json.dumps({"kind": kind, "mib": 160})
        shot = lab.fire(_BOMBS, arguments_json=arguments, destructive=True, memory_bytes=128 * MIB)
        among(
            (shot.status, shot.failure),
            {(Status.OUT_OF_MEMORY, "MemoryLimit"), (Status.TOOL_ERROR, "MemoryError")},
            f"verdict on {kind}",
        )


@CASES.control("RX-32")
def small_archives_are_fine(lab: Lab) -> None:
    for kind in ("gzip", "lzma", "zip"):
        arguments = json.dumps({"kind": kind, "mib": 16})
        small = lab.execute(_BOMBS, arguments_json=arguments, memory_bytes=128 * MIB)
        same(returned(small.outcome), 16, kind)


_RAISES: Final = """
class Slow(Exception):
    def __str__(self):
        while True:
            pass
def chain(size):
    last = None
    for number in range(size):
        try:
            raise ValueError(str(number) * 10) from last
        except ValueError as fault:
            last = fault
    return last
def tree(depth):
    if not depth:
        return ValueError("leaf")
    return ExceptionGroup("node" * 1000, [tree(depth - 1), tree(depth - 1)])
def f(kind, size):
    if kind == "message":
        raise ValueError("x" * size)
    if kind == "chain":
        raise chain(size)
    if kind == "tree":
        raise tree(size)
    raise Slow
"""
_MOST_MESSAGE, _MOST_TRACEBACK = 8_192, 65_536


@CASES.case(
    "RX-33",
    "Raises with a message of 100 MiB, 10,000 causes, a tree of groups, a text that never ends: cut, in time",
    threats=("T-DOS-04", "T-DOS-03"),
)
def large_exceptions(lab: Lab) -> None:
    for kind, size, name in (("message", 100 << 20, "ValueError"), ("chain", 10_000, "ValueError"), ("tree", 10, "")):
        shot = lab.fire(_RAISES, arguments_json=json.dumps({"kind": kind, "size": size}), destructive=True)
        same((shot.status, shot.failure), (Status.TOOL_ERROR, name or "ExceptionGroup"), kind)
        traceback = shot.outcome.failure.traceback if shot.outcome.failure else ""
        within = len(shot.message) <= _MOST_MESSAGE and len(traceback) <= _MOST_TRACEBACK
        sure(within, f"{kind}: {len(shot.message)} characters of message, {len(traceback)} of traceback")
    slow = lab.fire(_RAISES, arguments_json='{"kind": "slow", "size": 0}', wall_time_s=0.3)
    same(slow.status, Status.TIMEOUT, "verdict on a text that never ends")


@CASES.control("RX-33")
def short_texts_come_whole(lab: Lab) -> None:
    failure = lab.execute(_RAISES, arguments_json='{"kind": "message", "size": 3}').outcome.failure
    same((failure and failure.type, failure and failure.message), ("ValueError", "xxx"))


_NESTING: Final = """
import sys
def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value
def within_c(depth):
    def down(left):
        return sorted([left - 1], key=down) if left else 0
    return down(depth)
def within_python(depth):
    def down(left):
        return down(left - 1) + 1 if left else 0
    return down(depth)
def f(kind, depth):
    sys.setrecursionlimit(1_000_000_000)
    if kind == "freed":
        nested(depth)
        return "freed"
    return {"returned": nested, "C": within_c, "Python": within_python}[kind](depth)
"""


@CASES.case(
    "RX-34",
    "Nests a list a million deep and frees or returns it, recurses with the limit at 10**9: a verdict of its own each",
    threats=("T-DOS-02", "T-DOS-03"),
)
def deep_nesting(lab: Lab) -> None:
    expected = {
        "freed": (Status.SUCCESS, ""),
        "returned": (Status.RESULT_INVALID, "NotJson"),
        "C": (Status.CRASHED, "SIGSEGV"),
        "Python": (Status.OUT_OF_MEMORY, "MemoryLimit"),
    }
    for kind, verdict in expected.items():
        depth = 10**9 if kind == "Python" else 10**6
        shot = lab.fire(_NESTING, arguments_json=json.dumps({"kind": kind, "depth": depth}), destructive=True)
        same((shot.status, shot.failure), verdict, f"verdict on {kind}")
        sure(lab.gvisor or shot.survived, f"{kind}: the container was thrown away")


@CASES.control("RX-34")
def some_depth_is_fine(lab: Lab) -> None:
    same(returned(lab.execute(_NESTING, arguments_json='{"kind": "returned", "depth": 3}').outcome), [[[1]]])
    same(returned(lab.execute(_NESTING, arguments_json='{"kind": "Python", "depth": 5000}').outcome), 5000)
