"""Attacks that take what a tool may not have, each with the verdict that must end it. All are bounded in themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Outcome, Status
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

    def judge(self, outcome: Outcome, seconds: float) -> list[Finding]:
        """Return what came of it, and whether it came in time."""
        found = [compare(self.layer, self.name, self.status.value, outcome.status.value)]
        if self.result_json is not None:
            found.append(compare(self.layer, f"{self.name}: result", self.result_json, outcome.result_json))
        if self.status is Status.TIMEOUT:
            in_time = seconds <= self.wall_time_s + KILL_S
            found.append(compare("wall clock", f"{self.name}: ended in time", expected=True, found=in_time))
        return found


def attacks(limits: Limits) -> tuple[Attack, ...]:
    """Return the attacks for these limits."""
    return (
        Attack("one process takes twice its memory", "memory", _EAT.format(total=2 * limits.memory_bytes), _OOM),
        Attack(
            "four processes take twice the memory together",
            "memory",
            _EAT_TOGETHER.format(each=limits.memory_bytes // 2, processes=4),
            Status.SUCCESS,
            # Before all have what they want, one is ended: by the kernel, or by the agent.
            result_json="true",
        ),
        Attack(
            "as many processes as it gets",
            "processes",
            _FORK_ALL.format(many=4 * limits.processes),
            Status.SUCCESS,
            result_json=str(limits.processes - 1),
        ),
        Attack("forks without end", "wall clock", _FORK_FOR_EVER, Status.TIMEOUT, wall_time_s=0.3),
        Attack("computes without end", "wall clock", _SPIN, Status.TIMEOUT, wall_time_s=0.2),
        Attack("sleeps, deaf to every signal", "wall clock", _DEAF, Status.TIMEOUT, wall_time_s=0.2),
        Attack("prints without end", "output", _FLOOD, Status.OUTPUT_LIMIT, wall_time_s=5.0),
        Attack("fills the scratch space", "scratch space", _FILL, Status.SUCCESS, result_json='["ENOSPC","ENOSPC"]'),
        Attack("leaves a process behind", "clean-up", _LEAVE, Status.SUCCESS, result_json="true"),
        Attack("finds what was left behind", "clean-up", _FIND, Status.SUCCESS, result_json="[1,[]]"),
    )


_OOM: Final = Status.OUT_OF_MEMORY
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
def attack():
    answers = []
    try:
        for number in range(1_000_000):
            with open(f"big-{number}", "wb") as file:
                for _ in range(16):
                    file.write(b"x" * 1_000_000)
    except OSError as fault:
        answers.append(errno.errorcode[fault.errno])
    for name in os.listdir("."):
        os.unlink(name)
    try:
        for number in range(1_000_000):
            open(str(number), "w").close()
    except OSError as fault:
        answers.append(errno.errorcode[fault.errno])
    return answers
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
