"""XL: what one call leaves, the next one in the same container looks for."""

from __future__ import annotations

from typing import Any, Final

import pytest

from toolwright.attacks.lab import Lab
from toolwright.domain.outcome import Execution, Status

pytestmark = pytest.mark.security


def _both(lab: Lab, first: str, second: str, **limits: Any) -> tuple[Execution, Any]:
    """Fire `first`, then look with `second`, in the same container; return how the first ended and what was seen."""
    left = lab.fire(first, **limits)
    assert left.survived, "NOT PROVEN: the container was thrown away, so nothing can be looked for in it"
    looked = lab.fire(second)
    assert looked.execution.provenance.container_id == left.execution.provenance.container_id
    return left.execution, looked.value


_WRITE_EVERYWHERE: Final = """
import os, time
def f(ending):
    made = []
    for where, directories, _ in [*os.walk("/"), *os.walk(os.getcwd())]:
        if where.startswith(("/proc", "/sys")):
            continue
        path = os.path.join(where, "left-behind")
        try:
            with open(path, "x") as file:
                file.write("secret")
            made.append(path)
        except OSError:
            continue
    os.makedirs("deep/" * 20)
    os.symlink("/etc/hostname", "link")
    open(".hidden", "x").close()
    os.mkdir("locked")
    open("locked/file", "x").close()
    os.chmod("locked", 0)
    if ending == "killed":
        os.kill(os.getpid(), 9)
    time.sleep(60 if ending == "timeout" else 0)
    return made
"""
_LIST_EVERYTHING: Final = """
import os
def f():
    found = []
    for where, directories, files in [*os.walk("/"), *os.walk(os.getcwd())]:
        if not where.startswith(("/proc", "/sys")):
            found += [os.path.join(where, name) for name in files + directories if name == "left-behind"]
    uid = os.getuid()
    earlier = {}
    for other in range(uid - 5, uid):
        try:
            os.listdir(f"/call/{other}")
            earlier[other] = "ok"
        except OSError as fault:
            earlier[other] = type(fault).__name__
    try:
        os.listdir("/call")
        siblings = "ok"
    except OSError as fault:
        siblings = type(fault).__name__
    return [found, sorted(set(earlier.values())), siblings, os.listdir(".")]
"""


@pytest.mark.parametrize(
    ("ending", "status"), [("returns", Status.SUCCESS), ("killed", Status.CRASHED), ("timeout", Status.TIMEOUT)]
)
def test_xl_01_files(lab: Lab, ending: str, status: Status) -> None:
    """XL-01: of the files of a call nothing is left, however it ended; only its own directory could be written to."""
    left, seen = _both(
        lab,
        _WRITE_EVERYWHERE.replace("ending)", f"ending={ending!r})"),
        _LIST_EVERYTHING,
        wall_time_s=1.0 if ending == "timeout" else 5.0,
    )

    assert left.outcome.status is status
    assert seen == [[], ["FileNotFoundError"], "PermissionError", []]


def test_xl_01_control(lab: Lab) -> None:
    """XL-01, control: the first call does write, in its own directory alone, and the same look finds that there."""
    own = lab.fire(_WRITE_EVERYWHERE, arguments_json='{"ending": "returns"}').value
    look = _WRITE_EVERYWHERE.replace("def f(", "def write(") + _LIST_EVERYTHING.replace(
        "    found = []", "    write('returns')\n    found = []"
    )
    found = lab.fire(look).value[0]

    assert len(own) == 1
    assert own[0].startswith("/call/")
    assert len(found) == 1


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


def test_xl_08_processes(lab: Lab) -> None:
    """XL-08: of a call's daemons, threads and fork hooks none is alive for the next one, which sees the agent alone."""

    def they_are_seen(container: str) -> None:
        assert len(lab.agent_and_rest(container)[1]) >= 4  # the call, its daemon, and two that sleep in the hook

    lab.fire(_BACKGROUND, arguments_json='{"seconds": 0.4}', during=they_are_seen)
    _, seen = _both(lab, _BACKGROUND, _PROCESSES)

    assert seen == [2, [0, 0], 1]


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


def test_xl_11_modules(lab: Lab) -> None:
    """XL-11: whatever a call does to the interpreter is its own: the next is forked from a process that saw none of it.

    The control is the first call, which sees all its own changes.
    """
    changing = _PATCH.replace("__LOOK__", _LOOK)
    looking = "import builtins, json, math, os, random, sys, warnings\ndef f():\n    return " + _LOOK

    control = lab.fire(changing, arguments_json='{"restore": true}')
    first, seen = _both(lab, changing, looking)

    assert control.value == [666, *[True] * 7, 12345, *[True] * 3]
    # What it did to the functions that would have sent its result is its own loss: 666 bytes never came.
    assert first.outcome.status is Status.CRASHED
    assert seen == [0, *[False] * 7, 1000, *[False] * 3]
