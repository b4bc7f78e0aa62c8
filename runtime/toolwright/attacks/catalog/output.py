"""RX: a tool floods its output and returns what is too large."""

from __future__ import annotations

import json
from typing import Final

import psutil

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import same, sure
from toolwright.attacks.shot import Shot, returned
from toolwright.domain.limits import MIB
from toolwright.domain.outcome import Output, Status

CASES: Final = Catalog("RX", "Output and results")

_GIB: Final = 1024 * MIB
_GROWTH: Final = 16 * MIB
"""This process may grow by so much, beyond what it keeps, while it takes a flood."""
_FLOOD: Final = """
import os
def f(fd, bytes, text):
    block = text.encode() * (32768 // len(text))
    while bytes:
        bytes -= os.write(fd, block[:bytes] if bytes > 0 else block)
    return 1
"""


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def _check_flood(shot: Shot, stream: Output) -> None:
    same((shot.status, shot.failure), (Status.OUTPUT_LIMIT, "OutputLimit"))
    same((len(stream.kept), stream.truncated), (shot.execution.limits.output_bytes, True), "bytes kept, and cut off")


@CASES.case(
    "RX-15",
    "Prints without end: the call is ended, what is kept is bounded, here and on the host's disk",
    threats=("T-DOS-04", "T-EXF-02"),
)
def output_flood(lab: Lab) -> None:
    before = _resident()
    shot = lab.fire(_FLOOD, arguments_json='{"fd": 1, "bytes": -1, "text": "y\\n"}', destructive=True)

    _check_flood(shot, shot.outcome.stdout)
    sure(_resident() - before < _GROWTH, f"this process grew by {_resident() - before} bytes")
    engines = lab.inspect(lab.benign().provenance.container_id)
    same((engines["HostConfig"]["LogConfig"]["Type"], engines["LogPath"]), ("none", ""), "the engine's log")


@CASES.control("RX-15")
def some_output_is_cut(lab: Lab) -> None:
    some = lab.execute(_FLOOD, arguments_json=json.dumps({"fd": 1, "bytes": 2 * MIB, "text": "y\n"})).outcome
    same((returned(some), some.stdout.total_bytes, some.stdout.truncated), (1, 2 * MIB, True))


@CASES.case(
    "RX-16",
    "Writes a line of 1 GiB to standard error: ended as a flood; nobody waits for the end of the line",
    threats=("T-DOS-04",),
)
def endless_line(lab: Lab) -> None:
    before = _resident()
    shot = lab.fire(_FLOOD, arguments_json=json.dumps({"fd": 2, "bytes": _GIB, "text": "x"}), destructive=True)

    _check_flood(shot, shot.outcome.stderr)
    sure(_resident() - before < _GROWTH, f"this process grew by {_resident() - before} bytes")


@CASES.control("RX-16")
def a_line_without_an_end_comes_whole(lab: Lab) -> None:
    half = lab.execute(_FLOOD, arguments_json=json.dumps({"fd": 2, "bytes": MIB // 2, "text": "x"})).outcome
    same((returned(half), half.stderr.kept, half.stderr.truncated), (1, b"x" * (MIB // 2), False))


_SURVIVOR: Final = """
import os, time
def f(words, pause, wait):
    if os.fork() == 0:
        while True:
            os.write(1, b"flood " * words)
            time.sleep(pause)
    time.sleep(wait)
    return os.getpid()
"""
_OWN_WORDS: Final = """
import time
def f():
    time.sleep(0.1)
    print("mine")
"""


@CASES.case(
    "RX-17",
    "Leaves a child that goes on writing: it is cut off at the verdict, and the next call's output is its own",
    threats=("T-LAT-01", "T-DOS-04"),
)
def writing_survivor(lab: Lab) -> None:
    left, following = lab.fire_pair(_SURVIVOR, _OWN_WORDS, arguments_json='{"words": 1, "pause": 0.001, "wait": 0.1}')
    flood = '{"words": 5000, "pause": 0, "wait": 60}'
    flooding = lab.fire(_SURVIVOR, arguments_json=flood, destructive=True)

    sure(set(left.outcome.stdout.kept.split()) == {b"flood"}, "the child wrote nothing")
    same((following.outcome.stdout.kept, following.outcome.stderr.kept), (b"mine\n", b""), "the next call's output")
    _check_flood(flooding, flooding.outcome.stdout)


@CASES.control("RX-17")
def a_child_writes_beside_its_parent(lab: Lab) -> None:
    """What it writes comes for as long as its call lasts."""
    beside = lab.execute(_SURVIVOR, arguments_json='{"words": 1, "pause": 0.01, "wait": 0.1}').outcome
    sure(beside.stdout.total_bytes > 0, "the child wrote nothing")


_ANNOUNCE: Final = """
import os, struct, time
def f(length):
    os.write(4, struct.pack(">BI", 0, length))
    time.sleep(60)
"""
_LONG: Final = "def f(length):\n    return 'x' * length"


@CASES.case(
    "RX-18",
    "Returns a string of 1 GiB: refused by the length that it announces, before any of it is read",
    threats=("T-DOS-04",),
)
def huge_result(lab: Lab) -> None:
    announced = lab.fire(_ANNOUNCE, arguments_json=json.dumps({"length": _GIB}), wall_time_s=5.0)
    long = lab.fire(_LONG, arguments_json='{"length": 5000000}', destructive=True)
    made = lab.fire(_LONG, arguments_json=json.dumps({"length": _GIB}), destructive=True)

    same((announced.status, announced.failure), (Status.RESULT_INVALID, "ResultTooLarge"))
    sure(announced.seconds < lab.golden(1, gvisor=2), f"it was waited for {announced.seconds:.2f} s")
    same((long.status, long.failure), (Status.RESULT_INVALID, "ResultTooLarge"))
    same((made.status, made.failure), (Status.TOOL_ERROR, "MemoryError"))  # there is no such string to send


@CASES.control("RX-18")
def the_largest_result_comes(lab: Lab) -> None:
    """And a length within the limit is waited for."""
    largest = lab.execute(_LONG, arguments_json=json.dumps({"length": 4 * MIB - 2}))
    same(len(returned(largest.outcome)), 4 * MIB - 2)
    waited = lab.execute(_ANNOUNCE, arguments_json='{"length": 10}', wall_time_s=0.3)
    same(waited.outcome.status, Status.TIMEOUT)
