"""Tells to the millisecond when the last process of a call was gone, from the host's process table."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from toolwright.attacks.outpost import Outpost, manned
from toolwright.attacks.proof import shown
from toolwright.sandbox.engine import Engine

# A look is no snapshot: a process that forks and ends while it is taken may be missed once, but not three times.
_PROGRAM = r"""
import json, os, sys, time

def alive(root, agent):
    found = 0
    for name in os.listdir(root):
        if name.isdecimal() and int(name) not in agent:
            try:
                with open(f"{root}/{name}/stat") as file:
                    state, parent = file.read().rpartition(")")[2].split()[:2]
                found += state not in "ZX" and not (int(parent) == agent[1] and waits(f"{root}/{name}"))
            except OSError:
                continue
    return found

def waits(process):
    # To be the next call: one that runs has a limit on CPU seconds, which it cannot get rid of.
    with open(f"{process}/limits") as file:
        return any(line.split()[:4] == ["Max", "cpu", "time", "unlimited"] for line in file)

def watch(init, agent):
    root, most, none_since, looks = f"/proc/{init}/root/proc", 0, 0.0, 0
    while looks < 3 or not most:
        now = time.monotonic()
        try:
            found = alive(root, agent)
        except OSError:
            return [most, now]
        if found:
            most, looks = max(most, found), 0
        else:
            none_since, looks = none_since if looks else now, looks + 1
        time.sleep(0.001)
    return [most, none_since]

print(time.monotonic(), flush=True)
for line in sys.stdin:
    print(json.dumps(watch(*json.loads(line))), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Death:
    """How a call went, seen from the host."""

    most: int
    """Most processes of it seen at one time."""
    at: float
    """When the last of them was gone, by the machine's monotonic clock."""


class Deathwatch:
    """Watches one call at a time."""

    def __init__(self, outpost: Outpost) -> None:
        """Speak to the program in the watching container."""
        self._outpost = outpost

    def begin(self, init: int, agent: list[int]) -> None:
        """Watch the container whose first process has the host's number `init`, from before the call.

        Args:
            init: of the container's PID 1.
            agent: numbers, in the container, of the relay and the zygote.
        """
        self._outpost.send([init, agent])

    def end(self) -> Death:
        """Wait until everything of the call is gone."""
        most, at = json.loads(self._outpost.line())
        return Death(most, at)


@contextmanager
def watching(engine: Engine, image: str) -> Iterator[Deathwatch]:
    """Start a watch from the sandbox image; it ends with the `with`, or with this process.

    Raises:
        NotProven: its clock is another than ours: the engine is on another machine.
    """
    with manned(engine, image, _PROGRAM, timeout_s=20) as outpost:
        shown(abs(time.monotonic() - float(outpost.line())) < 1, "the engine's machine has another clock")
        yield Deathwatch(outpost)
