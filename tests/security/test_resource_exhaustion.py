"""RX: a tool takes all it can get. Each attack has a harmless twin that shows that the probe works."""

from __future__ import annotations

import errno
import json
from typing import Final

import psutil
import pytest

from tests.security.conftest import Sabotage
from toolwright.attacks.lab import Lab
from toolwright.domain.limits import MIB, Limits
from toolwright.domain.outcome import Status
from toolwright.sandbox.policy import SandboxPolicy

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
    bomb = """
import os
def f():
    while True:
        try:
            os.fork()
        except OSError:
            continue
"""

    shot = lab.fire(bomb, destructive=True, wall_time_s=1.0)
    refused = lab.fire(_FORK_UNTIL_REFUSED, arguments_json='{"most": 60}', destructive=True)
    with sabotage(limits=Limits(processes=100), container_processes=128) as roomy:
        allowed = roomy.run(_FORK_UNTIL_REFUSED, arguments_json='{"most": 60}', limits=Limits(processes=100))

    assert (shot.status, shot.survived) == (Status.TIMEOUT, True)
    assert refused.value == [Limits().processes - 1, errno.EAGAIN]
    assert allowed.result_json == "[60,0]"


def test_rx_05_memory_bomb(lab: Lab) -> None:
    """RX-05: the kernel kills the call, not the agent; a hundred MiB are still fine."""
    bomb = """
def f(blocks):
    kept = []
    while len(kept) != blocks:
        kept.append(b"x" * 1_048_576)
    return len(kept)
"""

    shot = lab.fire(bomb, arguments_json='{"blocks": -1}', destructive=True)
    twin = lab.fire(bomb, arguments_json='{"blocks": 100}', destructive=True)

    assert (shot.status, shot.survived) == (Status.OUT_OF_MEMORY, True)
    assert shot.outcome.usage.peak_memory_bytes > 200 * MIB
    assert twin.value == 100


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


def test_rx_07_full_scratch(lab: Lab, policy: SandboxPolicy) -> None:
    """RX-07: the scratch space ends with ENOSPC, is counted as memory, and is free again for the next call.

    One file alone ends a page earlier than the space does, with EFBIG, as the two limits have the same size.
    """
    full = lab.fire(_FILL, arguments_json='{"files": 2, "hold": 0}', destructive=True)
    again = lab.fire(_FILL, arguments_json='{"files": 1, "hold": 0}', destructive=True)
    # Neither is too much by itself; together they are.
    held = lab.fire(_FILL, arguments_json=json.dumps({"files": 0, "hold": 215 * MIB}), destructive=True)
    counted = lab.fire(_FILL, arguments_json=json.dumps({"files": 2, "hold": 215 * MIB}), destructive=True)

    assert full.value == [policy.scratch_bytes, errno.ENOSPC]
    assert again.value == [policy.limits.file_bytes, errno.EFBIG]
    assert held.status is Status.SUCCESS
    assert counted.status is Status.OUT_OF_MEMORY


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


def test_rx_11_inode_fill(lab: Lab, sabotage: Sabotage, policy: SandboxPolicy) -> None:
    """RX-11: names run out with ENOSPC, and are all removed within a second."""
    shot = lab.fire(_MANY_FILES, arguments_json='{"most": 1000000}', destructive=True)
    with sabotage(scratch_inodes=20_000) as roomy:
        allowed = roomy.run(_MANY_FILES, arguments_json='{"most": 10000}')

    made, error = shot.value
    assert error == errno.ENOSPC
    assert 0.9 * policy.scratch_inodes < made < policy.scratch_inodes
    assert shot.survived
    assert shot.execution.timing.run_ms - shot.outcome.usage.wall_ms <= 1000
    assert allowed.result_json == "[10000,0]"


_DESCRIPTORS: Final = """
import os, select, socket
MAKERS = {
    "file": lambda: os.open("/dev/null", os.O_RDONLY),
    "pipe": os.pipe,
    "socket": socket.socketpair,
    "epoll": select.epoll,
}
def f(kind, most):
    kept, error = [], 0
    try:
        while len(kept) < most:
            kept.append(MAKERS[kind]())
    except OSError as fault:
        error = fault.errno
    return [len(kept), error]
"""


@pytest.mark.parametrize("kind", ["file", "pipe", "socket", "epoll"])
def test_rx_13_descriptors(lab: Lab, kind: str) -> None:
    """RX-13: descriptors run out with EMFILE, whatever they are of; the agent keeps its own."""
    relay = lab.agent(lab.benign().provenance.container_id)[0]
    before = lab.observer.fds(relay.host_pid)

    shot = lab.fire(_DESCRIPTORS, arguments_json=json.dumps({"kind": kind, "most": 1_000_000}), destructive=True)
    twin = lab.fire(_DESCRIPTORS, arguments_json=json.dumps({"kind": kind, "most": 100}))

    each = 2 if kind in {"pipe", "socket"} else 1
    assert shot.value[1] == errno.EMFILE
    assert 240 <= shot.value[0] * each <= 256
    assert twin.value == [100, 0]
    assert lab.observer.fds(relay.host_pid) == before


def test_rx_15_output_flood(lab: Lab) -> None:
    """RX-15: a flood ends the call; what is kept is bounded, here and on the host's disk."""
    flood = "import os\ndef f(bytes):\n    while bytes:\n        bytes -= os.write(1, b'y\\n' * 16384)\n    return 1"
    resident = psutil.Process().memory_info().rss

    shot = lab.fire(flood, arguments_json='{"bytes": -1}', destructive=True)
    twin = lab.fire(flood, arguments_json=json.dumps({"bytes": 2 * MIB}))

    assert shot.status is Status.OUTPUT_LIMIT
    assert len(shot.outcome.stdout.kept) == shot.execution.limits.output_bytes
    assert shot.outcome.stdout.truncated
    assert psutil.Process().memory_info().rss - resident < 16 * MIB
    assert (twin.value, twin.outcome.stdout.total_bytes, twin.outcome.stdout.truncated) == (1, 2 * MIB, True)
    engines = lab.observer.inspect(lab.benign().provenance.container_id)
    assert (engines["HostConfig"]["LogConfig"]["Type"], engines["LogPath"]) == ("none", "")


_ANNOUNCE: Final = """
import os, struct, time
def f(length):
    os.write(4, struct.pack(">BI", 0, length))
    time.sleep(60)
"""


def test_rx_18_huge_result(lab: Lab) -> None:
    """RX-18: a result of 1 GiB is refused by the length that it announces, before any of it is read."""
    announced = lab.fire(_ANNOUNCE, arguments_json=json.dumps({"length": 1024 * MIB}), wall_time_s=5.0)
    waited = lab.fire(_ANNOUNCE, arguments_json=json.dumps({"length": 10}), wall_time_s=0.3)
    returned = lab.fire("def f():\n    return 'x' * 5_000_000", destructive=True)
    made = lab.fire("def f():\n    return 'x' * 2**30", destructive=True)
    largest = lab.fire("def f(n):\n    return 'x' * n", arguments_json=json.dumps({"n": 4 * MIB - 2}))

    assert (announced.status, announced.failure) == (Status.RESULT_INVALID, "ResultTooLarge")
    assert announced.seconds < 1
    assert waited.status is Status.TIMEOUT  # a length within the limit is waited for
    assert (returned.status, returned.failure) == (Status.RESULT_INVALID, "ResultTooLarge")
    assert (made.status, made.failure) == (Status.TOOL_ERROR, "MemoryError")  # there is no such string to send
    assert largest.status is Status.SUCCESS


def test_rx_19_cpu_spin(lab: Lab) -> None:
    """RX-19: a spin ends at its time, and its CPU time is the kernel's figure."""
    spin = """
import time
def f(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
"""

    shot = lab.fire(spin, arguments_json='{"seconds": 60}', wall_time_s=1.0)
    twin = lab.fire(spin, arguments_json='{"seconds": 0.2}')

    assert shot.status is Status.TIMEOUT
    assert 300 < shot.outcome.usage.cpu_ms < 1500
    assert twin.status is Status.SUCCESS
    assert twin.outcome.usage.cpu_ms < 300


@pytest.mark.parametrize(
    ("code", "small", "endless"),
    [
        ("import re\ndef f(n):\n    return bool(re.match('(a+)+$', 'a' * n + 'b'))", 5, 60),
        ("def f(n):\n    return pow(3, n) > 0", 1000, 10**9),
    ],
    ids=["regex", "pow"],
)
def test_rx_20_long_c_call(lab: Lab, code: str, small: int, endless: int) -> None:
    """RX-20: a call into C that holds the interpreter ends at its time: the kill needs nothing of Python."""
    shot = lab.fire(code, arguments_json=json.dumps({"n": endless}), destructive=True, wall_time_s=0.5)
    twin = lab.fire(code, arguments_json=json.dumps({"n": small}))

    assert (shot.status, shot.survived) == (Status.TIMEOUT, True)
    assert twin.status is Status.SUCCESS


_DEAF: Final = """
import signal, time
def hear(number, frame):
    while True:
        time.sleep(1)
def f(seconds):
    ignored = 0
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, hear if number in {signal.SIGTERM, signal.SIGALRM, signal.SIGXCPU} else signal.SIG_IGN)
        ignored += 1
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(seconds)
    return ignored
"""


def test_rx_22_deaf_to_signals(lab: Lab) -> None:
    """RX-22: blocking and catching every signal that can be changes nothing: SIGKILL ends it."""
    shot = lab.fire(_DEAF, arguments_json='{"seconds": 60}', wall_time_s=0.5)
    twin = lab.fire(_DEAF, arguments_json='{"seconds": 0.05}')

    assert (shot.status, shot.survived) == (Status.TIMEOUT, True)
    assert twin.value >= 60


@pytest.mark.parametrize(
    ("code", "harmless"),
    [
        ("import time\ndef f(n):\n    time.sleep(n)", 0.05),
        ("import threading\ndef f(n):\n    with (lock := threading.Lock()):\n        lock.acquire(timeout=n)", 0.05),
    ],
    ids=["sleep", "lock"],
)
def test_rx_24_waiting(lab: Lab, code: str, harmless: float) -> None:
    """RX-24: waiting for ever ends at the wall limit, although hardly any CPU time was used."""
    shot = lab.fire(code, arguments_json='{"n": 1000000}', wall_time_s=0.5)
    twin = lab.fire(code, arguments_json=json.dumps({"n": harmless}))

    assert shot.status is Status.TIMEOUT
    assert shot.outcome.usage.cpu_ms < 200
    assert twin.status is Status.SUCCESS


def test_rx_25_zombies(lab: Lab) -> None:
    """RX-25: zombies are reaped at the end of their call.

    A call may have 32 processes, so of the 60 of the attack all but 31 are refused with EAGAIN.
    """
    code = """
import os, time
def f(count):
    left, error = 0, 0
    for _ in range(count):
        try:
            if os.fork() == 0:
                os._exit(0)
            left += 1
        except OSError as fault:
            error = fault.errno
    time.sleep(0.5)
    return [left, error]
"""

    def zombies_are_seen(container: str) -> None:
        assert sum(one.state == "Z" for one in lab.observer.processes(container)) == Limits().processes - 1

    shot = lab.fire(code, arguments_json='{"count": 60}', destructive=True, during=zombies_are_seen)

    assert shot.value == [Limits().processes - 1, errno.EAGAIN]
    assert shot.survived


def test_rx_26_orphans_in_sessions_of_their_own(lab: Lab) -> None:
    """RX-26: grandchildren that left session and group die with the call: they are found by their user."""
    code = """
import os, time
def f():
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.setpgid(0, 0)
                time.sleep(3600)
            os._exit(0)
        os.wait()
    time.sleep(0.4)
    return "done"
"""

    def orphans_are_seen(container: str) -> None:
        processes = lab.observer.processes(container)
        assert len(processes) == 2 + 1 + 5
        groups = {one.fields["NSpgid"] for one in processes}
        assert len(groups) >= 5 + 1

    shot = lab.fire(code, during=orphans_are_seen)

    assert (shot.value, shot.survived) == ("done", True)
