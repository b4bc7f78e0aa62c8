"""RX: a tool takes all the processes and threads it can get."""

from __future__ import annotations

import errno
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import among, same
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status

CASES: Final = Catalog("RX", "Processes and threads")

_BOMB: Final = """
import os
def f():
    while True:
        try:
            os.fork()
        except OSError:
            continue
"""
_FORK_UNTIL_REFUSED: Final = """
import os, signal, time
def f(most):
    children, error = [], 0
    while len(children) < most:
        try:
            pid = os.fork()
        except OSError as fault:
            error = fault.errno
            break
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        children.append(pid)
    return [len(children), error]
"""


@CASES.case(
    "RX-01",
    "Forks without end: refused at the limit with EAGAIN, ended at its time, and nothing of it is left",
    threats=("T-DOS-01",),
    differs={
        "runsc": "gVisor counts the processes that a process starts, and not that process: one more is allowed; the "
        "agent, which watches the memory there, counts shared pages once a process, so that may end the bomb first"
    },
)
def fork_bomb(lab: Lab) -> None:
    shot = lab.fire(_BOMB, destructive=True, wall_time_s=1.0)
    refused = lab.fire(_FORK_UNTIL_REFUSED, arguments_json='{"most": 60}', destructive=True)

    among(shot.status, lab.golden({Status.TIMEOUT}, gvisor={Status.TIMEOUT, Status.OUT_OF_MEMORY}), "verdict")
    same(shot.survived, lab.golden(True, gvisor=shot.survived), "container kept")
    allowed = Limits().processes - lab.golden(1, gvisor=0)
    same(refused.value, [allowed, errno.EAGAIN])


@CASES.control("RX-01")
def more_are_given_where_more_are_allowed(lab: Lab) -> None:
    with lab.weakened(limits=Limits(processes=100), container_processes=128) as roomy:
        allowed = roomy.run(_FORK_UNTIL_REFUSED, arguments_json='{"most": 60}', limits=Limits(processes=100))
    same(allowed.result_json, "[60,0]")
