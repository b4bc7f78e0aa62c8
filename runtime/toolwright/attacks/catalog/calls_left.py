"""XL: processes, modules, output and ends of one call, and what the next one has of them."""

from __future__ import annotations

import json
import time
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import NEIGHBOUR, Lab
from toolwright.attacks.proof import same, shown, sure
from toolwright.domain.outcome import Status

CASES: Final = Catalog("XL", "What a call leaves of itself")

_BACKGROUND: Final = """
import os, threading, time
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    os.wait()
def f(seconds=0.0):
    daemon()
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    os.register_at_fork(after_in_child=lambda: time.sleep(3600))
    if os.fork() == 0:
        os._exit(0)  # not before the hook has slept
    stopped = os.fork()
    time.sleep(seconds)
    return "done"
"""
_PROCESSES: Final = """
import os
def f():
    me = str(os.getpid())
    others = [name for name in os.listdir("/proc") if name.isdecimal() and name != me]
    owners = sorted(os.stat(f"/proc/{name}").st_uid for name in others)
    return [len(others), owners, len(os.listdir("/proc/self/task"))]
"""


@CASES.case(
    "XL-08",
    "Leaves daemons, threads and processes that sleep in a fork hook: none is alive for the next call, which sees the "
    "agent alone",
    threats=("T-LAT-01",),
)
def background(lab: Lab) -> None:
    _, seen = lab.fire_pair(_BACKGROUND, _PROCESSES)
    same(seen.value, [2, [0, 0], 1], "others, their owners, own threads")


@CASES.control("XL-08")
def they_are_there_while_the_call_runs(lab: Lab) -> None:
    looking = (
        _PROCESSES.replace("def f():", "def look():")
        + _BACKGROUND.replace("def f(", "def g(")
        + ("def f():\n    g(0.2)\n    return look()\n")
    )
    others, _, threads = lab.fire(looking).value
    sure(others >= 4 and threads >= 2, f"NOT PROVEN: only {others} processes and {threads} threads were there")


_PATCH: Final = """
import builtins, codecs, json, math, os, random, sys, warnings
def f(restore=False):
    own = builtins.len, json.dumps
    builtins.len = lambda value: 666
    builtins.leaked = "leaked"
    json.dumps = lambda *a, **k: "leaked"
    math.pi = 3
    sys.path.insert(0, "leaked")
    sys.meta_path.insert(0, type("Hook", (), {"find_spec": staticmethod(lambda *a: None)}))
    sys.path_hooks.insert(0, lambda path: None)
    sys.modules["leaked"] = sys.modules["json"]
    warnings.filterwarnings("error")
    codecs.register(lambda name: None)
    sys.setrecursionlimit(12345)
    random.seed(1)
    os.environ["LEAKED"] = "leaked"
    os.umask(0)
    f.__globals__["leaked"] = "leaked"
    seen = __LOOK__
    if restore:
        builtins.len, json.dumps = own
    return seen
"""
_LOOK: Final = """[
    builtins.len([]), hasattr(builtins, "leaked"), math.pi == 3, "leaked" in sys.path, len(sys.meta_path) > 3,
    len(sys.path_hooks) > 2, "leaked" in sys.modules, warnings.filters[0][0] == "error", sys.getrecursionlimit(),
    "LEAKED" in os.environ, os.umask(0o77) == 0, "leaked" in globals(),
]"""


@CASES.case(
    "XL-11",
    "Changes builtins, modules, search paths, hooks, filters: the next call is forked from what saw none of it",
    threats=("T-LAT-03",),
)
def patched_interpreter(lab: Lab) -> None:
    looking = "import builtins, json, math, os, random, sys, warnings\ndef f():\n    return " + _LOOK
    first, seen = lab.fire_pair(_PATCH.replace("__LOOK__", _LOOK), looking)
    # What it did to the functions that would have sent its result is its own loss: 666 bytes never came.
    same(first.status, Status.CRASHED, "verdict of the first")
    same(seen.value, [0, *[False] * 7, 1000, *[False] * 3])


@CASES.control("XL-11")
def it_sees_its_own_changes(lab: Lab) -> None:
    own = lab.fire(_PATCH.replace("__LOOK__", _LOOK), arguments_json='{"restore": true}').value
    same(own, [666, *[True] * 7, 12345, *[True] * 3])


_UID: Final = "import os\ndef f():\n    return os.getuid()"


@CASES.case(
    "XL-14",
    "Waits for a user's number to come round: none is used twice in a container, and a used-up one goes",
    threats=("T-LAT-01", "T-LAT-02"),
)
def used_uids(lab: Lab) -> None:
    seen: dict[str, list[int]] = {}
    for _ in range(40):
        execution = lab.execute(_UID)
        seen.setdefault(execution.provenance.container_id, []).append(int(execution.outcome.result_json or "-1"))
    sure(all(len(set(uids)) == len(uids) for uids in seen.values()), f"a user was used twice: {seen}")
    sure(all(uids == sorted(uids) for uids in seen.values()), "users are not counted up")


@CASES.control("XL-14")
def one_call_has_one_user(lab: Lab) -> None:
    same(lab.fire("import os\ndef f():\n    return os.getuid() == os.geteuid() == os.getuid()").value, expected=True)


_COUNT: Final = """
import functools
CALLS = 0
@functools.lru_cache
def cached():
    return []
def f():
    global CALLS
    CALLS += 1
    cached().append(1)
    return [CALLS, len(cached())]
"""


@CASES.case("XL-21", "Counts its calls in a global and in a cache: each call begins with none", threats=("T-LAT-03",))
def state_of_a_module(lab: Lab) -> None:
    first, second = lab.fire_pair(_COUNT, _COUNT)
    same([first.value, second.value], [[1, 1], [1, 1]])


@CASES.control("XL-21")
def within_a_call_they_count(lab: Lab) -> None:
    twice = _COUNT.replace("def f():", "def once():") + "def f():\n    once()\n    return once()\n"
    same(lab.fire(twice).value, [2, 2])


_SLEEP: Final = (
    "import os, time\ndef f():\n    begun = time.time()\n    time.sleep(0.6)\n    return [begun, time.time()]"
)


@CASES.case(
    "XL-22",
    "Looks for a call beside it in its container: there is none, as a container runs one call at a time",
    threats=("T-LAT-05",),
)
def a_call_beside_it(lab: Lab) -> None:
    beside: list[str] = []

    def call_beside(container: str) -> None:
        if lab.gvisor:
            time.sleep(0.2)  # nobody sees from outside when it runs
        else:
            lab.agent_and_rest(container)
        beside.append(lab.benign().provenance.container_id)

    shot = lab.fire(_SLEEP, during=call_beside)
    sure(beside and beside[0] != shot.execution.provenance.container_id, "two calls ran in one container at once")


@CASES.control("XL-22")
def one_after_the_other_share_it(lab: Lab) -> None:
    first, second = lab.benign(), lab.benign()
    same(second.provenance.container_id, first.provenance.container_id, "container of the second call")


@CASES.case(
    "XL-23",
    "Takes all processes and memory that it gets while another call waits: that one has a container of its own, and is "
    "served at once",
    threats=("T-LAT-05", "T-DOS-01"),
    differs={"runsc": "with memory that the agent watches, fewer processes fit"},
)
def starving_a_call_beside_it(lab: Lab) -> None:
    greedy = """
import os, time
def f(processes):
    try:
        for _ in range(processes):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
    except OSError:
        pass
    kept = b"x" * (64 << 20)
    time.sleep(0.5)
    return len(kept)
"""
    sizes: list[int] = []

    def served(container: str) -> None:
        if not lab.gvisor:
            sure(len(lab.agent_and_rest(container)[1]) > 20, "not yet greedy")
        sizes.append(len(str(lab.benign(NEIGHBOUR).outcome.result_json)))

    processes = json.dumps({"processes": lab.golden(40, gvisor=4)})
    shot = lab.fire(greedy, arguments_json=processes, destructive=True, during=served)
    same(shot.status, Status.SUCCESS, "verdict of the greedy one")
    same(len(sizes), 1, "calls served meanwhile")


@CASES.control("XL-23")
def in_its_own_container_it_would_starve(lab: Lab) -> None:
    full = "import os, time\ndef f():\n    made = 0\n    try:\n        while True:\n            if os.fork() == 0:\n"
    full += "                time.sleep(60)\n                os._exit(0)\n            made += 1\n"
    full += "            if made == 4: break\n    except OSError:\n        pass\n    return made\n"
    same(lab.fire(full).value, 4, "processes made")


_ONE: Final = "VERSION = 1\ndef f():\n    return VERSION\n"


@CASES.case(
    "XL-24",
    "Runs one version, another, and the first again, all of one name: each runs exactly its own source",
    threats=("T-LAT-03", "T-LIE-04"),
)
def versions(lab: Lab) -> None:
    two = _ONE.replace("VERSION = 1", "VERSION = 2")
    same([lab.fire(code).value for code in (_ONE, two, _ONE, two)], [1, 2, 1, 2])


@CASES.control("XL-24")
def they_share_a_container(lab: Lab) -> None:
    first, second = lab.execute(_ONE), lab.execute(_ONE.replace("VERSION = 1", "VERSION = 2"))
    same(second.provenance.container_id, first.provenance.container_id, "container of the other version")
    sure(first.provenance.tool_digest != second.provenance.tool_digest, "two sources have one digest")


_LATE: Final = """
import os, sys, time
def f():
    sys.stdout.write("no line end, not flushed: late-words")
    if os.fork() == 0:
        os.setsid()
        while True:
            os.write(1, b"late-words")
            time.sleep(0.001)
    return "done"
"""


@CASES.case(
    "XL-26",
    "Writes without a line end, without a flush, and by a process that it leaves: nothing of it is in the next call's "
    "output",
    threats=("T-LAT-01", "T-LIE-02"),
)
def late_output(lab: Lab) -> None:
    left, following = lab.fire_pair(_LATE, "import time\ndef f():\n    time.sleep(0.05)\n    print('own')")
    sure(b"late-words" in left.outcome.stdout.kept, "NOT PROVEN: nothing was written")
    same(following.outcome.stdout.kept, b"own\n", "output of the next call")


@CASES.control("XL-26")
def a_child_writes_while_its_call_runs(lab: Lab) -> None:
    code = _LATE.replace('return "done"', "time.sleep(0.1)")
    sure(lab.fire(code).outcome.stdout.kept.count(b"late-words") > 2, "a child's output was not kept")


_LEAVE: Final = """
import os, sys, threading, time
open("left", "w").close()
os.environ["LEFT"] = "behind"
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
os.wait()
def f():
    __END__
"""
_ENDS: Final = {
    Status.SUCCESS: "return 1",
    Status.TOOL_ERROR: "raise ValueError",
    Status.TIMEOUT: "time.sleep(60)",
    Status.OUT_OF_MEMORY: "kept = [b'x' * (16 << 20) for _ in iter(int, 1)]",
    Status.CRASHED: "os.abort()",
    Status.OUTPUT_LIMIT: "while True: os.write(1, b'x' * 65536)",
    Status.RESULT_INVALID: "return {1}",
    Status.LOAD_ERROR: "pass\nraise SystemExit('no')",
}
_FIND: Final = """
import os
def f():
    alive = [name for name in os.listdir("/proc") if name.isdecimal() and os.stat(f"/proc/{name}").st_uid != 0]
    return [os.listdir("."), "LEFT" in os.environ, len(alive)]
"""


@CASES.case(
    "XL-31",
    "Leaves a file, a daemon and a variable, and ends in each way that keeps the container: nothing is found",
    threats=("T-LAT-01", "T-LAT-02", "T-LAT-03"),
)
def every_end(lab: Lab) -> None:
    for status, end in _ENDS.items():
        limit = lab.golden(1.0, gvisor=3.0) if status is Status.TIMEOUT else 10.0
        left, seen = lab.fire_pair(_LEAVE.replace("__END__", end), _FIND, wall_time_s=limit)
        same(left.status, status, "verdict")
        same(seen.value, [[], False, 1], f"what is seen after {status.value}")


@CASES.control("XL-31")
def the_same_look_finds_what_is_there(lab: Lab) -> None:
    own = _LEAVE.replace("def f():\n    __END__", "") + _FIND
    same(lab.fire(own).value, [["left"], True, 2])


_ON_STDIN: Final = """
import fcntl, os, struct
F_OFD_GETLK, F_OFD_SETLK = 36, 37
def lock(kind):
    return struct.pack("hhqqi4x", kind, 0, 7, 3, 0)
def mark():
    refused = []
    for name, step in {
        "flags": lambda: fcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND),
        "lock": lambda: fcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB),
        "range": lambda: fcntl.fcntl(0, F_OFD_SETLK, lock(fcntl.F_RDLCK)),
    }.items():
        try:
            step()
        except OSError:  # gVisor has no locks on devices
            refused.append(name)
    return refused
def look():
    found = []
    if fcntl.fcntl(0, fcntl.F_GETFL) & (os.O_NONBLOCK | os.O_APPEND):
        found.append("flags")
    for fd in (os.open("/dev/null", os.O_RDWR), 0):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(fd, fcntl.LOCK_UN)
        except BlockingIOError:
            found.append("lock")
        except OSError:
            pass
        try:
            if fcntl.fcntl(fd, F_OFD_GETLK, lock(fcntl.F_WRLCK))[:2] != struct.pack("h", fcntl.F_UNLCK):
                found.append("range")
        except OSError:
            pass
    return found
def f():
    __DO__
"""


@CASES.case(
    "XL-32",
    "Leaves flags, a lock and locked ranges on its standard input: the next call finds none, there or on /dev/null",
    threats=("T-LAT-03", "T-LAT-04"),
)
def marks_on_standard_input(lab: Lab) -> None:
    mark, look = (_ON_STDIN.replace("__DO__", f"return {name}()") for name in ("mark", "look"))
    marked, seen = lab.fire_pair(mark, look)
    same(seen.value, [], "what is found")
    same(marked.value, lab.golden([], gvisor=["lock", "range"]), "what could not be left")


@CASES.control("XL-32")
def the_same_look_finds_marks(lab: Lab) -> None:
    found = lab.fire(_ON_STDIN.replace("__DO__", "mark()\n    return look()")).value
    same(found, lab.golden(["flags", "lock", "range"], gvisor=["flags"]), "what is found")


@CASES.case(
    "XL-09",
    "Forks faster than its processes are killed: none is left",
    threats=("T-LAT-01",),
    differs={"runsc": "the agent, which watches the memory there, may end it before its time"},
)
def forks_faster_than_the_kill(lab: Lab) -> None:
    race = "import os\ndef f():\n    while True:\n        try:\n            if os.fork(): os._exit(0)\n"
    race += "        except OSError:\n            pass\n"
    for _ in range(lab.golden(5, gvisor=1)):
        shot = lab.fire(race, destructive=True)
        sure(shot.status in {Status.CRASHED, Status.TIMEOUT, Status.OUT_OF_MEMORY}, f"verdict {shot.status}")
    following = lab.fire(_PROCESSES).value
    same(following, [2, [0, 0], 1], "what the next call sees")


@CASES.control("XL-09")
def the_race_is_run(lab: Lab) -> None:
    counted = "import os\ndef f():\n    before = os.getpid()\n    for _ in range(5):\n        pid = os.fork()\n"
    counted += "        if pid == 0: os._exit(0)\n        os.waitpid(pid, 0)\n    return pid > before\n"
    shown(lab.fire(counted).value, "no process was made")
