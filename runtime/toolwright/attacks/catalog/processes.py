"""RX: a tool takes all the processes and threads it can get."""

from __future__ import annotations

import errno
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import among, same, sure
from toolwright.attacks.shot import returned
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status

CASES: Final = Catalog("RX", "Processes and threads")

_ONE_MORE: Final = "gVisor counts the processes that a process starts, and not that process: one more is allowed"
_COUNTED_TWICE: Final = (
    "the agent, which watches the memory there, counts shared pages once a process, so many that sleep may end as "
    "OUT_OF_MEMORY"
)
_ROOMY: Final = Limits(processes=100)
_BOMB: Final = """
import os
def f():
    while True:
        try:
            os.fork()
        except OSError:
            continue
"""
_ZOMBIES: Final = """
import os, time
def f(most, pause):
    left, error = 0, 0
    for _ in range(most):
        try:
            if os.fork() == 0:
                os._exit(0)
            left += 1
        except OSError as fault:
            error = fault.errno
    time.sleep(pause)
    return [left, error]
"""


@CASES.case(
    "RX-01",
    "Forks without end: refused at the limit with EAGAIN, ended at its time, and nothing of it is left",
    threats=("T-DOS-01",),
    differs={"runsc": f"{_ONE_MORE}; {_COUNTED_TWICE}"},
)
def fork_bomb(lab: Lab) -> None:
    shot = lab.fire(_BOMB, destructive=True, wall_time_s=0.5)
    refused = lab.fire(_ZOMBIES, arguments_json='{"most": 60, "pause": 0}', destructive=True)

    among(shot.status, lab.golden({Status.TIMEOUT}, gvisor={Status.TIMEOUT, Status.OUT_OF_MEMORY}), "verdict")
    # An agent that the bomb starves gives no proof in time; then its container goes with all that is in it.
    sure(refused.survived, "the container was thrown away although nothing went on in it")
    allowed = refused.execution.limits.processes - lab.golden(1, gvisor=0)
    same(refused.value, [allowed, errno.EAGAIN])


@CASES.control("RX-01")
def more_are_given_where_more_are_allowed(lab: Lab) -> None:
    with lab.weakened(limits=_ROOMY, container_processes=128) as roomy:
        allowed = roomy.run(_ZOMBIES, arguments_json='{"most": 60, "pause": 0}', limits=_ROOMY)
    same(returned(allowed), [60, 0])


_THREADS: Final = """
import threading
def f(most):
    threading.stack_size(262_144)
    gate = threading.Event()
    started = 0
    try:
        while started < most:
            threading.Thread(target=gate.wait, daemon=True).start()
            started += 1
    except RuntimeError:
        if most < 1_000_000:
            return started
        raise
    return started
"""


@CASES.case(
    "RX-03",
    "Starts threads until none can be started: it is told so, and the agent can still fork the next call",
    threats=("T-DOS-01",),
    differs={"runsc": _ONE_MORE},
)
def thread_bomb(lab: Lab) -> None:
    bomb = lab.fire(_THREADS, arguments_json='{"most": 1000000}', destructive=True)
    counted = lab.fire(_THREADS, arguments_json='{"most": 60}', destructive=True)

    same((bomb.status, bomb.failure, bomb.message), (Status.TOOL_ERROR, "RuntimeError", "can't start new thread"))
    sure(bomb.survived, "the container was thrown away")
    same(counted.value, counted.execution.limits.processes - lab.golden(1, gvisor=0), "number of threads")


@CASES.control("RX-03")
def more_threads_are_given_where_more_are_allowed(lab: Lab) -> None:
    with lab.weakened(limits=_ROOMY, container_processes=128) as roomy:
        same(returned(roomy.run(_THREADS, arguments_json='{"most": 60}', limits=_ROOMY)), 60)


_WORKERS: Final = """
import multiprocessing, time
def f(most):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=time.sleep, args=(3600,), daemon=True) for _ in range(most)]
    for worker in workers:
        worker.start()
    return len(multiprocessing.active_children())
"""


@CASES.case(
    "RX-04",
    "Starts a thousand workers and joins none: refused with EAGAIN at the limit, and none is left",
    threats=("T-DOS-01", "T-LAT-01"),
    differs={"runsc": _COUNTED_TWICE},
)
def workers(lab: Lab) -> None:
    shot = lab.fire(_WORKERS, arguments_json='{"most": 1000}', destructive=True)

    refused = (Status.TOOL_ERROR, "BlockingIOError")
    starved = (Status.OUT_OF_MEMORY, "MemoryLimit")
    among((shot.status, shot.failure), lab.golden({refused}, gvisor={refused, starved}), "verdict")
    sure(lab.gvisor or shot.survived, "the container was thrown away")


@CASES.control("RX-04")
def a_few_workers_are_fine(lab: Lab) -> None:
    few = lab.fire(_WORKERS, arguments_json='{"most": 3}')  # and none of these is left either
    same(few.value, 3, "number of workers")


@CASES.case(
    "RX-25",
    "Leaves 60 zombies (31 of them fit in the limit of 32): all are reaped at the end of the call",
    threats=("T-DOS-01", "T-LAT-01"),
    differs={"runsc": f"{_ONE_MORE}; they are not seen from outside, a later call looks"},
)
def zombies(lab: Lab) -> None:
    most = Limits().processes - lab.golden(1, gvisor=0)

    def are_seen(container: str) -> None:
        if not lab.gvisor:
            same(sum(one.state == "Z" for one in lab.observer.processes(container)), most, "number of zombies")

    shot = lab.fire(_ZOMBIES, arguments_json='{"most": 60, "pause": 0.3}', destructive=True, during=are_seen)

    same(shot.value, [most, errno.EAGAIN])
    sure(shot.survived, "the container was thrown away")


@CASES.control("RX-25")
def zombies_are_left_until_the_end(lab: Lab) -> None:
    """Without a reaper they stay: a process counts its own."""
    left = returned(lab.execute(_COUNT_ZOMBIES).outcome)
    same(left, 5, "number of zombies")


_COUNT_ZOMBIES: Final = """
import os, time
def f():
    pids = []
    for _ in range(5):
        if (pid := os.fork()) == 0:
            os._exit(0)
        pids.append(pid)
    time.sleep(0.2)
    return sum(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "Z" for pid in pids)
"""
_ORPHANS: Final = """
import os, time
def f(pause):
    reader, writer = os.pipe()
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.setpgid(0, 0)
                os.write(writer, b"x")
                time.sleep(3600)
            os._exit(0)
        os.wait()
        os.read(reader, 1)
    time.sleep(pause)
    me = os.getpid()
    return sum(name.isdecimal() and int(name) > me for name in os.listdir("/proc"))
"""


@CASES.case(
    "RX-26",
    "Leaves grandchildren that sleep for an hour in sessions and groups of their own: they are found by their user",
    threats=("T-LAT-01",),
    differs={"runsc": "the sessions are not seen from outside; a later call looks whether a process is left"},
)
def orphans(lab: Lab) -> None:
    def are_seen(container: str) -> None:
        if not lab.gvisor:
            agent, rest = lab.agent_and_rest(container)
            same(len(rest), 1 + 5, "number of processes of the call")
            sure(len({one.fields["NSpgid"] for one in [*agent, *rest]}) >= 5 + 1, "they share a group")

    shot = lab.fire(_ORPHANS, arguments_json=lab.golden('{"pause": 0.2}', gvisor='{"pause": 0}'), during=are_seen)

    same(shot.value, 5, "number of orphans")
    sure(shot.survived, "the container was thrown away")


@CASES.control("RX-26")
def orphans_live_on_beside_their_call(lab: Lab) -> None:
    same(returned(lab.execute(_ORPHANS, arguments_json='{"pause": 0.1}').outcome), 5, "number of orphans")
