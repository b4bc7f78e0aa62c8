"""PR: a tool lies, stammers or falls silent on the channel of its result."""

from __future__ import annotations

import time
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import NEIGHBOUR, Lab
from toolwright.attacks.proof import among, same, sure
from toolwright.attacks.sabotage import POWERS, Layer
from toolwright.domain.limits import MIB
from toolwright.domain.outcome import Status

CASES: Final = Catalog("PR", "The result's channel")

_FORGE: Final = """
import json, os, struct
def result(value, kind=0):
    body = json.dumps(value).encode()
    return struct.pack(">BI", kind, len(body)) + body
def to_all(data):
    taken = []
    for fd in range(1024):
        try:
            os.write(fd, data)
        except OSError:
            continue
        taken.append(fd)
    return taken
"""
_OWN: Final = (Status.SUCCESS, '"own"')


@CASES.case(
    "PR-01",
    "Forges a result on every descriptor: it counts once, as its own; status, signal, time and use stay what was seen "
    "from outside, and a frame of the agent's is not taken for one",
    threats=("T-LIE-01",),
)
def forged_result(lab: Lab) -> None:
    endings = {
        "os._exit(0)": (Status.SUCCESS, ""),
        "os._exit(3)": (Status.CRASHED, "ExitStatus"),
        "os.kill(os.getpid(), 9)": (Status.CRASHED, "SIGKILL"),
    }
    for ending, verdict in endings.items():
        shot = lab.fire(_FORGE + f"def f():\n    to_all(result('forged'))\n    {ending}")
        same((shot.status, shot.failure), verdict, ending)
    late = lab.fire(_FORGE + "import time\ndef f():\n    to_all(result('forged'))\n    time.sleep(60)", wall_time_s=0.4)
    same(late.status, Status.TIMEOUT, "sent and asleep")
    sure(late.outcome.usage.wall_ms >= 300, f"a time of {late.outcome.usage.wall_ms} ms")
    frame = "struct.pack('>4sBBHQI', b'TWFR', 1, 21, 0, 0, 2) + b'{}'"
    spoiled = lab.fire(_FORGE + f"def f():\n    os.write(4, {frame})\n    return 'own'")
    same(spoiled.status, Status.RESULT_INVALID, "its bytes announce a result of more than a gigabyte")


@CASES.control("PR-01")
def only_its_own_descriptors_take_it(lab: Lab) -> None:
    same(lab.fire(_FORGE + "def f():\n    return to_all(b'')").value, [1, 2, 4], "descriptors to write to")


@CASES.case("PR-02", "Prints what looks like a frame, a result or a verdict: it is output", threats=("T-LIE-01",))
def printed_result(lab: Lab) -> None:
    shot = lab.fire(
        _FORGE + "def f():\n    os.write(1, b'CTWFR\\x01\\x15' + result('printed'))\n"
        '    print(\'{"status": "SUCCESS", "result": "printed"}\')\n    raise ValueError("own")'
    )
    same((shot.status, shot.failure), (Status.TOOL_ERROR, "ValueError"))
    sure(shot.outcome.stdout.kept.startswith(b"CTWFR\x01\x15"), "the beginning of the output is lost")
    sure(shot.outcome.stdout.kept.endswith(b'"result": "printed"}\n'), "the end of the output is lost")


@CASES.control("PR-02")
def plain_output(lab: Lab) -> None:
    plain = lab.fire("def f():\n    print('plain')\n    return 'own'")
    same((plain.value, plain.outcome.stdout.text), ("own", "plain\n"))


@CASES.case(
    "PR-03",
    "Sends two results, alike or not, or one of no known kind: PROTOCOL, and the container is thrown away",
    threats=("T-LIE-01",),
)
def two_results(lab: Lab) -> None:
    for body in (
        "os.write(4, result(1))\n    return 2",
        "os.write(4, result(1))\n    return 1",
        "os.write(4, result(1, kind=9))\n    os._exit(0)",
    ):
        shot = lab.fire(_FORGE + f"def f():\n    {body}")
        same((shot.status, shot.survived), (Status.PROTOCOL, False), body)


@CASES.control("PR-03")
def one_result_sent_by_hand(lab: Lab) -> None:
    once = lab.fire(_FORGE + "def f():\n    os.write(4, result(1))\n    os._exit(0)")
    same((once.value, once.survived), (1, True))


@CASES.case(
    "PR-04",
    "Sends a result and then raises, exits or is killed: raising makes two results, PROTOCOL; an exit or a signal "
    "outweighs what was sent",
    threats=("T-LIE-01", "T-LIE-02"),
)
def result_and_then_worse(lab: Lab) -> None:
    endings = {
        "raise ValueError": Status.PROTOCOL,
        "os._exit(1)": Status.CRASHED,
        "os.abort()": Status.CRASHED,
        "os.kill(os.getpid(), 15)": Status.CRASHED,
    }
    for ending, status in endings.items():
        shot = lab.fire(_FORGE + f"def f():\n    os.write(4, result('sent'))\n    {ending}")
        same(shot.status, status, ending)
        same(shot.outcome.result_json, None, f"result after {ending}")


@CASES.control("PR-04")
def the_same_without_a_result(lab: Lab) -> None:
    same(lab.fire("def f():\n    raise ValueError").status, Status.TOOL_ERROR)


@CASES.case(
    "PR-05", "Closes all its descriptors: CRASHED without a result, and nobody waits for one", threats=("T-LIE-02",)
)
def closed_descriptors(lab: Lab) -> None:
    shot = lab.fire("import os\ndef f():\n    os.closerange(0, 1024)\n    return 1")
    same(shot.status, Status.CRASHED)
    sure(shot.seconds < lab.golden(1.0, gvisor=3.0), f"it took {shot.seconds:.1f} s")


@CASES.control("PR-05")
def others_may_be_closed(lab: Lab) -> None:
    same(lab.fire("import os\ndef f():\n    os.closerange(5, 1024)\n    return 1").value, 1)


@CASES.case(
    "PR-06",
    "Puts garbage in the place of its result, or swaps result and output: no result, or one that is refused; never the "
    "output taken for it",
    threats=("T-LIE-01", "T-LIE-02"),
)
def swapped_descriptors(lab: Lab) -> None:
    null = lab.fire("import os\ndef f():\n    os.dup2(os.open('/dev/null', os.O_WRONLY), 4)\n    return 1")
    same((null.status, null.failure), (Status.CRASHED, "NoResult"), "result to nowhere")
    swapped = lab.fire(
        "import os\ndef f():\n    kept = os.dup(1)\n    os.dup2(4, 1)\n    os.dup2(kept, 4)\n    return 1"
    )
    same((swapped.status, swapped.failure), (Status.CRASHED, "NoResult"), "result to the output")
    sure(len(swapped.outcome.stdout.kept) > 0, "what was swapped is not in the output")
    printed = lab.fire("import os\ndef f():\n    os.dup2(4, 1)\n    print('x' * 100, flush=True)\n    return 1")
    sure(printed.status in {Status.PROTOCOL, Status.RESULT_INVALID}, f"output for a result is {printed.status}")


@CASES.control("PR-06")
def a_copy_does_no_harm(lab: Lab) -> None:
    same(lab.fire("import os\ndef f():\n    os.dup(4)\n    return 1").value, 1)


@CASES.case(
    "PR-07",
    "Sends half a result and sleeps: it ends at its time like any silence, and another call is served meanwhile",
    threats=("T-LIE-02", "T-DOS-03"),
)
def half_a_result(lab: Lab) -> None:
    meanwhile: list[float] = []

    def serve_another(container: str) -> None:
        if not lab.gvisor:
            lab.agent_and_rest(container)  # it runs
        begun = time.monotonic()
        lab.benign(NEIGHBOUR)
        meanwhile.append(time.monotonic() - begun)

    limit = lab.golden(0.6, gvisor=2.0)
    code = _FORGE + "import time\ndef f():\n    os.write(4, result('half')[:-3])\n    time.sleep(60)"
    shot = lab.fire(code, wall_time_s=limit, during=serve_another)
    same(shot.status, Status.TIMEOUT)
    sure(meanwhile[0] < limit, f"another call took {meanwhile[0]:.2f} s")


@CASES.control("PR-07")
def half_and_an_end(lab: Lab) -> None:
    ended = lab.fire(_FORGE + "def f():\n    os.write(4, result('half')[:-3])\n    os._exit(0)")
    same((ended.status, ended.failure), (Status.CRASHED, "NoResult"))


@CASES.case(
    "PR-20",
    "Writes to result and output from what runs at the end (atexit, finalisers, hooks): the result is final by then",
    threats=("T-LIE-01",),
)
def late_hooks(lab: Lab) -> None:
    code = (
        _FORGE
        + """
import atexit, sys, threading, weakref
class Thing:
    def __del__(self):
        to_all(result("late"))
def f():
    kept = Thing()
    f.__globals__["thing"] = Thing()
    atexit.register(to_all, result("late"))
    weakref.finalize(f.__globals__["thing"], to_all, result("late"))
    sys.excepthook = threading.excepthook = lambda *a: to_all(result("late"))
    del kept.__class__.__del__
    return "own"
"""
    )
    shot = lab.fire(code)
    same((shot.status, shot.outcome.result_json), _OWN)
    sure(b"late" not in shot.outcome.stdout.kept, "a hook wrote after the end")


@CASES.control("PR-20")
def before_the_end_it_counts(lab: Lab) -> None:
    early = _FORGE + "class Thing:\n    def __del__(self):\n        to_all(result('early'))\ndef f():\n"
    early += "    thing = Thing()\n    del thing\n    return 'own'"
    same(lab.fire(early).status, Status.PROTOCOL)


@CASES.case(
    "PR-21", "Exits with status 0 and no result: CRASHED, as status 0 is no success by itself", threats=("T-LIE-02",)
)
def no_result(lab: Lab) -> None:
    shot = lab.fire("import os\ndef f():\n    os._exit(0)")
    same((shot.status, shot.failure), (Status.CRASHED, "NoResult"))


@CASES.control("PR-21")
def a_child_may_exit(lab: Lab) -> None:
    same(lab.fire("import os\ndef f():\n    if os.fork() == 0:\n        os._exit(0)\n    return 1").value, 1)


_OTHER_PROGRAM: Final = """
import errno, os
def f():
    answers = {}
    os.set_inheritable(1, True)
    for path in ("/usr/bin/python3.13", "/proc/self/exe"):
        try:
            os.execv(path, [path, "-c", "print('another')"])
        except OSError as fault:
            answers[path] = errno.errorcode[fault.errno]
    return answers
"""


@CASES.case(
    "PR-23", "Puts another program in its own place: denied by the call's filter", threats=("T-LIE-02", "T-ESC-03")
)
def another_program(lab: Lab) -> None:
    answers = lab.fire(_OTHER_PROGRAM).value
    same(set(answers.values()), {"EPERM"})


@CASES.control("PR-23")
def without_the_filter_it_runs(lab: Lab) -> None:
    with lab.weakened(Layer.CALL_FILTER) as open_door:
        outcome = open_door.run(_OTHER_PROGRAM)
    same((outcome.status, outcome.stdout.kept), (Status.CRASHED, b"another\n"))


_DEATHS: Final = {
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "SIGSEGV": "ctypes.string_at(0)",
    "SIGABRT": "os.abort()",
    "SIGBUS": (
        "fd = os.open('mapped', os.O_RDWR | os.O_CREAT); os.ftruncate(fd, 4096); "
        "memory = mmap.mmap(fd, 4096); os.ftruncate(fd, 0); memory[0]"
    ),
    "SIGSYS": "os.kill(os.getpid(), signal.SIGSYS)",
}


@CASES.case(
    "PR-24",
    "Dies by a signal: CRASHED, and the signal is named; never taken for an exit with 0",
    threats=("T-LIE-02",),
)
def death_by_signal(lab: Lab) -> None:
    for name, death in _DEATHS.items():
        shot = lab.fire(f"import ctypes, mmap, os, signal\ndef f():\n    {death}\n    return 1")
        same((shot.status, shot.failure, shot.survived), (Status.CRASHED, name, True), name)


@CASES.control("PR-24")
def death_of_a_child_is_none(lab: Lab) -> None:
    code = f"import os, signal\ndef f():\n    if os.fork() == 0:\n        {_DEATHS['SIGKILL']}\n    return os.wait()[1]"
    same(lab.fire(code).value, 9, "wait status")


_HOLD: Final = """
import os, time
def f(seconds=0):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    os.wait()
    time.sleep(seconds)
    return "done"
"""


@CASES.case(
    "PR-25",
    "A grandchild holds the result's pipe open: nobody waits for it, as the end of a call is its process'",
    threats=("T-LIE-02",),
)
def pipe_held_open(lab: Lab) -> None:
    shot = lab.fire(_HOLD)
    same((shot.value, shot.survived), ("done", True))
    sure(shot.seconds < lab.golden(1.0, gvisor=3.0), f"it took {shot.seconds:.1f} s")


@CASES.control("PR-25", runtimes=("runc",))
def it_is_held(lab: Lab) -> None:
    def held(container: str) -> None:
        _, (call, grandchild) = lab.agent_and_rest(container)
        theirs, its = (lab.observer.fds(one.host_pid).get("4") for one in (grandchild, call))
        sure(its and theirs == its, f"{theirs} and {its} are not the same pipe")

    lab.fire(_HOLD, arguments_json='{"seconds": 0.5}', during=held)


@CASES.case(
    "PR-37",
    "Returns exactly the most bytes, and one more: SUCCESS and RESULT_INVALID",
    threats=("T-LIE-03", "T-DOS-04"),
)
def exact_size(lab: Lab) -> None:
    most = 4 * MIB - 2  # the quotes
    text = "def f(n):\n    return 'x' * n"
    over = lab.fire(text, arguments_json=f'{{"n": {most + 1}}}')
    same((over.status, over.failure), (Status.RESULT_INVALID, "ResultTooLarge"))


@CASES.control("PR-37")
def the_most_is_taken(lab: Lab) -> None:
    largest = lab.fire("def f(n):\n    return 'x' * n", arguments_json=f'{{"n": {4 * MIB - 2}}}')
    same((largest.status, len(largest.outcome.result_json or "")), (Status.SUCCESS, 4 * MIB))


@CASES.case(
    "PR-41",
    "Pretends to be the agent: takes its name, prints its ready line, opens a channel: only the first one counts",
    threats=("T-LIE-01",),
)
def pretended_agent(lab: Lab) -> None:
    code = (
        _FORGE
        + """
import ctypes, socket
def f():
    ctypes.CDLL(None).prctl(15, b"toolwright_agen", 0, 0, 0)
    ready = struct.pack(">4sBBHQI", b"TWFR", 1, 16, 0, 0, 0)
    for fd in (1, 2):
        os.write(fd, ready)
    one, other = socket.socketpair()
    one.send(ready)
    try:
        open("/proc/1/fd/1", "wb").write(ready)
    except OSError as fault:
        return type(fault).__name__
"""
    )
    shot = lab.fire(code)
    same((shot.value, shot.survived), ("PermissionError", True))


@CASES.control("PR-41", runtimes=("runc",))
def with_the_agents_powers_it_could(lab: Lab) -> None:
    code = _FORGE + "def f():\n    open('/proc/1/fd/1', 'wb').write(b'TWFR' + bytes(16))"
    with lab.weakened(POWERS) as open_door:
        outcome = open_door.run(code)
    among(outcome.status, {Status.PROTOCOL, Status.INFRASTRUCTURE}, "what bytes on the agent's own channel come to")
