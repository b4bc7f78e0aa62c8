"""RX: a tool computes or waits beyond its time."""

from __future__ import annotations

import json
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import among, same, sure
from toolwright.attacks.shot import returned
from toolwright.domain.outcome import Status

CASES: Final = Catalog("RX", "Time limits")

_SPIN: Final = """
import time
def f(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return seconds
"""


@CASES.case(
    "RX-19",
    "Computes without end: it ends at its time, and its CPU time is the kernel's figure",
    threats=("T-DOS-03", "T-LIE-01"),
)
def spin(lab: Lab) -> None:
    shot = lab.fire(_SPIN, arguments_json='{"seconds": 60}', wall_time_s=0.6)

    same((shot.status, shot.failure), (Status.TIMEOUT, "TimeLimit"))
    cpu_ms = shot.outcome.usage.cpu_ms
    sure(20 < cpu_ms < lab.golden(900, gvisor=2000), f"it used {cpu_ms:.0f} ms of CPU time")


@CASES.control("RX-19")
def a_short_spin_is_fine(lab: Lab) -> None:
    short = lab.execute(_SPIN, arguments_json='{"seconds": 0.1}').outcome
    same(returned(short), 0.1)
    sure(0 < short.usage.cpu_ms < 300, f"it used {short.usage.cpu_ms:.0f} ms of CPU time")


_C_CALLS: Final = """
import re
def regex(n):
    return len(re.findall("(a+)+$", "a" * n + "b"))
def power(n):
    return pow(3, n).bit_length()
def f(kind, n):
    return globals()[kind](n)
"""


@CASES.case(
    "RX-20",
    "Holds the interpreter in C code (a regular expression that blows up, a huge power): the kill needs no Python",
    threats=("T-DOS-03",),
)
def long_c_calls(lab: Lab) -> None:
    for kind, endless in (("regex", 60), ("power", 10**9)):
        arguments = json.dumps({"kind": kind, "n": endless})
        shot = lab.fire(_C_CALLS, arguments_json=arguments, destructive=True, wall_time_s=0.3)
        same((shot.status, shot.survived), (Status.TIMEOUT, True), kind)


@CASES.control("RX-20")
def short_c_calls_are_fine(lab: Lab) -> None:
    same(returned(lab.execute(_C_CALLS, arguments_json='{"kind": "regex", "n": 5}').outcome), 0)
    same(returned(lab.execute(_C_CALLS, arguments_json='{"kind": "power", "n": 1000}').outcome), 1585)


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


@CASES.case(
    "RX-22",
    "Blocks, ignores or loops in every signal that can be: SIGKILL ends it all the same",
    threats=("T-DOS-03",),
)
def deaf(lab: Lab) -> None:
    shot = lab.fire(_DEAF, arguments_json='{"seconds": 60}', wall_time_s=0.3)
    same((shot.status, shot.survived), (Status.TIMEOUT, True))


@CASES.control("RX-22")
def nearly_all_signals_can_be_ignored(lab: Lab) -> None:
    ignored = returned(lab.execute(_DEAF, arguments_json='{"seconds": 0}').outcome)
    sure(ignored >= 60, f"only {ignored} signals were ignored")


_WAIT: Final = """
import threading, time
def f(on, seconds):
    if on == "lock":
        lock = threading.Lock()
        with lock:
            lock.acquire(timeout=seconds)
    else:
        time.sleep(seconds)
    return on
"""


@CASES.case(
    "RX-24",
    "Sleeps for days, waits for a lock that never comes: ended at the wall limit with hardly any CPU time used",
    threats=("T-DOS-03",),
)
def waits(lab: Lab) -> None:
    for on in ("sleep", "lock"):
        shot = lab.fire(_WAIT, arguments_json=json.dumps({"on": on, "seconds": 10**6}), wall_time_s=0.3)
        same(shot.status, Status.TIMEOUT, on)
        sure(shot.outcome.usage.cpu_ms < 200, f"{on} used {shot.outcome.usage.cpu_ms:.0f} ms of CPU time")


@CASES.control("RX-24")
def short_waits_are_fine(lab: Lab) -> None:
    for on in ("sleep", "lock"):
        arguments = json.dumps({"on": on, "seconds": 0.05})
        same(returned(lab.execute(_WAIT, arguments_json=arguments).outcome), on)


_SLEEP: Final = "import time\ndef f(seconds):\n    time.sleep(seconds)\n    return 1\n"
_LIMIT_S: Final = 0.15
_OFFSETS_S: Final = (-0.02, -0.01, -0.005, 0.0, 0.005, 0.01, 0.02)


@CASES.case(
    "RX-35",
    "Ends within 20 ms of its limit, on either side: one verdict each time, and the kill never meets the next call",
    threats=("T-DOS-03", "T-LIE-01"),
)
def on_the_limit(lab: Lab) -> None:
    rest_s = _LIMIT_S - min(lab.execute(_SLEEP, arguments_json='{"seconds": 0}').timing.run_ms for _ in range(3)) / 1000
    for offset in _OFFSETS_S:
        arguments = json.dumps({"seconds": max(0.0, rest_s + offset)})
        ended = lab.execute(_SLEEP, arguments_json=arguments, wall_time_s=_LIMIT_S)
        among(ended.outcome.status, {Status.SUCCESS, Status.TIMEOUT}, f"verdict at {offset * 1000:+g} ms")
        following = lab.benign()  # which a late kill would end
        same(following.provenance.container_id, ended.provenance.container_id, "container of the next call")
    # And each of them is on record, once.
    lab.fire(_SLEEP, arguments_json=json.dumps({"seconds": max(0.0, rest_s)}), wall_time_s=_LIMIT_S)


@CASES.control("RX-35")
def both_verdicts_are_given(lab: Lab) -> None:
    early = lab.execute(_SLEEP, arguments_json='{"seconds": 0}', wall_time_s=1.0)
    late = lab.execute(_SLEEP, arguments_json='{"seconds": 0.4}', wall_time_s=_LIMIT_S)
    same((early.outcome.status, late.outcome.status), (Status.SUCCESS, Status.TIMEOUT))
