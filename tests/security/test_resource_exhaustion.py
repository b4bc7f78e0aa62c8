"""RX: a tool takes all it can get. Each attack has a harmless twin that shows that the probe works."""

from __future__ import annotations

import errno
import json
import re
import resource
from typing import Final

import pytest

from tests.security.conftest import Sabotage
from tests.security.kit.lab import Lab
from tests.security.kit.observer import Seen
from tests.security.kit.sabotage import Layer
from toolwright.domain.limits import MIB, Limits
from toolwright.domain.outcome import Status

pytestmark = pytest.mark.security

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


def test_rx_01_fork_bomb(lab: Lab, sabotage: Sabotage) -> None:
    """RX-01: forks are refused at the limit with EAGAIN, the bomb ends at its time, and nothing of it is left."""
    bomb = "import os\ndef f():\n    while True:\n        try:\n            os.fork()\n        except OSError:\n            pass"

    shot = lab.fire(bomb, destructive=True, wall_time_s=1.0)
    refused = lab.fire(_FORK_UNTIL_REFUSED, arguments_json='{"most": 60}', destructive=True)
    with sabotage(limits=Limits(processes=100), container_processes=128) as roomy:
        allowed = roomy.run(_FORK_UNTIL_REFUSED, arguments_json='{"most": 60}', limits=Limits(processes=100))

    assert (shot.status, shot.survived) == (Status.TIMEOUT, True)
    assert refused.value == [Limits().processes - 1, errno.EAGAIN]
    assert allowed.result_json == "[60,0]"
