"""Attacks that take what a tool may not have, each with the verdict that must end it. All are bounded in themselves."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Final

from toolwright.domain.limits import MIB, Limits
from toolwright.domain.outcome import Outcome, Status
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.selfcheck.facts import GVISOR
from toolwright.sandbox.selfcheck.finding import Finding, compare

FUNCTION: Final = "attack"
KILL_S: Final = 0.5
"""A verdict comes this long after its limit, at most, in seconds."""
GVISOR_KILL_S: Final = 2.0
"""The same where processes that fork are killed under gVisor's slowest platform, ptrace."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: its source, how long it may run, and its verdict."""

    name: str
    layer: str
    source: str
    status: Status
    wall_time_s: float = 10.0
    result_json: str | None = None
    """What it has to return, if it is to end by itself."""
    processes: int = 1
    """How many it needs, where a call may have fewer."""
    at_most: int = 1_000
    """How many it is given, where a call may have more."""

    def limits(self, ceilings: Limits) -> Limits:
        """Return what it runs under: `ceilings` but for what would end it before what it is meant for."""
        return replace(
            ceilings,
            wall_time_s=self.wall_time_s,
            processes=min(max(ceilings.processes, self.processes), self.at_most),
            result_bytes=1024,
        )

    kill_s: float = KILL_S
    may_cost_container: bool = False
    """Whether its processes are so slow to kill here that they may only go with the container: then it comes last."""
    memory_may_end_it: bool = False
    """Whether memory is so tight here that the kernel may as well end the call for that."""

    def judge(self, outcome: Outcome, seconds: float) -> list[Finding]:
        """Return what came of it, and whether it came in time."""
        if self.memory_may_end_it and outcome.status is Status.OUT_OF_MEMORY:
            return [compare(self.layer, self.name, _OOM.value, outcome.status.value)]
        found = [compare(self.layer, self.name, self.status.value, outcome.status.value)]
        if self.result_json is not None:
            found.append(compare(self.layer, f"{self.name}: result", self.result_json, outcome.result_json))
        if self.status is Status.TIMEOUT:
            in_time = not self.late(seconds)
            found.append(compare("wall clock", f"{self.name}: ended in time", expected=True, found=in_time))
        return found

    def late(self, seconds: float) -> bool:
        """Whether it took longer than its limit allows."""
        return seconds > self.wall_time_s + self.kill_s


def attacks(policy: SandboxPolicy) -> tuple[Attack, ...]:
    """Return the attacks for what `policy` promises."""
    gvisor = policy.runtime == GVISOR
    in_order = (
        *_on_memory(policy.limits, gvisor=gvisor),
        *_on_processes(policy.limits, gvisor=gvisor),
        *_ON_TIME,
        _computes_twice(policy),
        _FLOODS,
        _fills(policy, gvisor=gvisor),
        *_ON_CLEANUP,
    )
    return tuple(sorted(in_order, key=lambda attack: attack.may_cost_container))


def _on_memory(limits: Limits, *, gvisor: bool) -> tuple[Attack, ...]:
    together = Attack(
        "four processes take twice the memory",
        "memory",
        _EAT_TOGETHER.format(each=limits.memory_bytes // 2, processes=4),
        # Before all have what they want the kernel ends one; where it can't, the agent ends the call.
        _OOM if gvisor else _ENDS,
        result_json=None if gvisor else "true",
        processes=8,
        memory_may_end_it=limits.memory_bytes < _TIGHT,
    )
    alone = _EAT.format(total=2 * limits.memory_bytes)
    return Attack("one process takes twice its memory", "memory", alone, _OOM), together


def _on_processes(limits: Limits, *, gvisor: bool) -> tuple[Attack, ...]:
    # The agent, which has to count memory under gVisor, counts shared pages once a process: fewer fit there. gVisor
    # also counts those that a process starts, not that process itself.
    allowed = min(limits.processes, _FEW) if gvisor else limits.processes
    many = Attack(
        "as many processes as it gets",
        "processes",
        _FORK_ALL.format(many=4 * allowed),
        _ENDS,
        result_json=str(allowed if gvisor else allowed - 1),
        at_most=allowed,
    )
    for_ever = Attack(
        "forks without end",
        "wall clock",
        _FORK_FOR_EVER,
        Status.TIMEOUT,
        wall_time_s=0.3,
        kill_s=GVISOR_KILL_S if gvisor else KILL_S,
        may_cost_container=gvisor,
        memory_may_end_it=limits.memory_bytes < _TIGHT,
    )
    return many, for_ever


def _computes_twice(policy: SandboxPolicy) -> Attack:
    """Ask for twice the processors, for half a second; what is taken beyond the limit is a matter of a period."""
    processes = 2 * math.ceil(policy.cpus)
    source = _COMPUTE.format(processes=processes, most=policy.cpus * _CPU_SLACK)
    return Attack("twice the processors", "CPU", source, _ENDS, result_json="true", processes=processes + 1)


def _fills(policy: SandboxPolicy, *, gvisor: bool) -> Attack:
    """Take all bytes, then all names. What it keeps counts as memory; where that ends before, names alone."""
    room = policy.limits.memory_bytes - policy.scratch_bytes
    source = _FILL.format(
        bytes=policy.scratch_bytes * 2 if room >= _ROOM_FOR_A_CALL else 0,
        each=min(policy.limits.file_bytes, 16 * MIB),
        # gVisor does not count names, so a few show it; thousands there are slower to remove than a clean-up may
        # take, and the container then goes. They take its own memory, which the container's limit bounds.
        names=_NAMES_IN_GVISOR if gvisor else policy.scratch_inodes * 2,
    )
    full = ["ENOSPC" if room >= _ROOM_FOR_A_CALL else "", "" if gvisor else "ENOSPC"]
    result = json.dumps(full, separators=(",", ":"))
    return Attack("fills the scratch space", "scratch space", source, _ENDS, result_json=result)


_OOM: Final = Status.OUT_OF_MEMORY
_ENDS: Final = Status.SUCCESS
_ROOM_FOR_A_CALL: Final = 64 * MIB
_TIGHT: Final = 128 * MIB
_FEW: Final = 8
_NAMES_IN_GVISOR: Final = 500
_CPU_SLACK: Final = 1.5
_EAT: Final = """
def attack():
    kept = []
    for _ in range({total} // 1_000_000):
        kept.append(bytearray(b"x") * 1_000_000)
    return "took it all"
"""
_EAT_TOGETHER: Final = """
import os, select
def attack():
    read, write = os.pipe()
    for _ in range({processes}):
        if os.fork() == 0:
            kept = bytearray(b"x") * {each}
            os.write(write, kept[:1])
            select.select([], [], [], 60)
            os._exit(0)
    told = 0
    while told < {processes}:
        if select.select([read], [], [], 0.01)[0]:
            told += len(os.read(read, 64))
        elif os.waitpid(-1, os.WNOHANG)[0]:
            return True
    return False
"""
_FORK_ALL: Final = """
import os, time
def attack():
    children = []
    try:
        for _ in range({many}):
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            children.append(pid)
    except BlockingIOError:
        return len(children)
    return "as many as it liked"
"""
_FORK_FOR_EVER: Final = """
import os
def attack():
    while True:
        try:
            os.fork()
        except OSError:
            continue
"""
_SPIN: Final = """
def attack():
    while True:
        pass
"""
_COMPUTE: Final = """
import os, time
def attack():
    begun = time.monotonic()
    for _ in range({processes}):
        if os.fork() == 0:
            while time.monotonic() < begun + 0.5:
                pass
            os._exit(0)
    for _ in range({processes}):
        os.wait()
    used = os.times()
    return used.children_user + used.children_system <= {most} * (time.monotonic() - begun)
"""
_DEAF: Final = """
import signal, time
def attack():
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(60)
"""
_FLOOD: Final = """
def attack():
    while True:
        print("x" * 4096)
"""
_FILL: Final = """
import errno, os
def fault(function):
    try:
        function()
    except OSError as fault:
        return errno.errorcode[fault.errno]
    return ""
def fill_bytes():
    for number in range({bytes} // {each}):
        with open("big-" + str(number), "wb") as file:
            for _ in range({each} // 4096):
                file.write(b"x" * 4096)
def fill_names():
    for number in range({names}):
        open(str(number), "w").close()
def attack():
    first = fault(fill_bytes)
    for name in os.listdir("."):
        os.unlink(name)
    return [first, fault(fill_names)]
"""
_LEAVE: Final = """
import os, time
def attack():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    with open("left", "w") as file:
        file.write("behind")
    return True
"""
_FIND: Final = """
import os
def attack():
    own = 0
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with open(f"/proc/{name}/status") as status:
                own += "\\nUid:\\t0\\t" not in status.read()
    return [own, os.listdir(".")]
"""

_ON_TIME: Final = (
    Attack("computes without end", "wall clock", _SPIN, Status.TIMEOUT, wall_time_s=0.2),
    Attack("sleeps, deaf to every signal", "wall clock", _DEAF, Status.TIMEOUT, wall_time_s=0.2),
)
_FLOODS: Final = Attack("prints without end", "output", _FLOOD, Status.OUTPUT_LIMIT, wall_time_s=3.0)
_ON_CLEANUP: Final = (
    Attack("leaves a process behind", "clean-up", _LEAVE, _ENDS, result_json="true", processes=4),
    Attack("finds what was left behind", "clean-up", _FIND, _ENDS, result_json="[1,[]]"),
)
