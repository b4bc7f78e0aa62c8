"""Attacks that take what a tool may not have, each with the verdict that must end it. All are bounded in themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from toolwright.domain.limits import MIB, Limits
from toolwright.domain.outcome import Outcome, Status
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.selfcheck.finding import Finding, compare

FUNCTION: Final = "attack"
KILL_S: Final = 0.5
"""A verdict comes this long after its limit, at most, in seconds."""


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

    def limits(self, ceilings: Limits) -> Limits:
        """Return what it runs under: `ceilings` but for what would end it before what it is meant for."""
        return replace(
            ceilings,
            wall_time_s=self.wall_time_s,
            processes=max(ceilings.processes, self.processes),
            result_bytes=1024,
        )

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
            in_time = seconds <= self.wall_time_s + KILL_S
            found.append(compare("wall clock", f"{self.name}: ended in time", expected=True, found=in_time))
        return found


def attacks(policy: SandboxPolicy) -> tuple[Attack, ...]:
    """Return the attacks for what `policy` promises."""
    limits = policy.limits
    return (*_on_memory(limits), *_on_processes(limits), *_ON_TIME, _FLOODS, _fills(policy), *_ON_CLEANUP)


def _on_memory(limits: Limits) -> tuple[Attack, ...]:
    together = Attack(
        "four processes take twice the memory",
        "memory",
        _EAT_TOGETHER.format(each=limits.memory_bytes // 2, processes=4),
        _ENDS,
        # Before all have what they want, one is ended: by the kernel, or by the agent.
        result_json="true",
        processes=8,
        memory_may_end_it=limits.memory_bytes < _TIGHT,
    )
    alone = _EAT.format(total=2 * limits.memory_bytes)
    return Attack("one process takes twice its memory", "memory", alone, _OOM), together


def _on_processes(limits: Limits) -> tuple[Attack, ...]:
    many = _FORK_ALL.format(many=4 * limits.processes)
    for_ever = Attack(
        "forks without end",
        "wall clock",
        _FORK_FOR_EVER,
        Status.TIMEOUT,
        wall_time_s=0.3,
        memory_may_end_it=limits.memory_bytes < _TIGHT,
    )
    gets = str(limits.processes - 1)
    return Attack("as many processes as it gets", "processes", many, _ENDS, result_json=gets), for_ever


def _fills(policy: SandboxPolicy) -> Attack:
    """Take all bytes, then all names. What it keeps counts as memory; where that ends before, names alone."""
    room = policy.limits.memory_bytes - policy.scratch_bytes
    source = _FILL.format(
        bytes=policy.scratch_bytes * 2 if room >= _ROOM_FOR_A_CALL else 0,
        each=min(policy.limits.file_bytes, 16 * MIB),
        names=policy.scratch_inodes * 2,
    )
    full = '["ENOSPC","ENOSPC"]' if room >= _ROOM_FOR_A_CALL else '["","ENOSPC"]'
    return Attack("fills the scratch space", "scratch space", source, _ENDS, result_json=full)


_OOM: Final = Status.OUT_OF_MEMORY
_ENDS: Final = Status.SUCCESS
_ROOM_FOR_A_CALL: Final = 64 * MIB
_TIGHT: Final = 128 * MIB
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
_FLOODS: Final = Attack("prints without end", "output", _FLOOD, Status.OUTPUT_LIMIT)
_ON_CLEANUP: Final = (
    Attack("leaves a process behind", "clean-up", _LEAVE, _ENDS, result_json="true", processes=4),
    Attack("finds what was left behind", "clean-up", _FIND, _ENDS, result_json="[1,[]]"),
)
