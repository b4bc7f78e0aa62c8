"""XL: files of one call, looked for by the next one in the same container."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import same, sure
from toolwright.attacks.sabotage import Layer
from toolwright.attacks.shot import returned
from toolwright.domain.outcome import Status

CASES: Final = Catalog("XL", "Files left for the next call")

_WRITE_EVERYWHERE: Final = """
import os, time
def f(ending="returns"):
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
    earlier = set()
    for other in range(uid - 5, uid):
        try:
            os.listdir(f"/call/{other}")
            earlier.add("ok")
        except OSError as fault:
            earlier.add(type(fault).__name__)
    try:
        os.listdir("/call")
        siblings = "ok"
    except OSError as fault:
        siblings = type(fault).__name__
    return [found, sorted(earlier), siblings, os.listdir(".")]
"""
_NOTHING: Final = [[], ["FileNotFoundError"], "PermissionError", []]


@CASES.case(
    "XL-01",
    "Writes files wherever it can, and returns, is killed or runs out of time: the next call finds none",
    threats=("T-LAT-02",),
)
def files(lab: Lab) -> None:
    endings = {"returns": Status.SUCCESS, "killed": Status.CRASHED, "timeout": Status.TIMEOUT}
    for ending, status in endings.items():
        code = _WRITE_EVERYWHERE.replace('"returns"', repr(ending))
        limit = lab.golden(1.0, gvisor=3.0) if status is Status.TIMEOUT else 10.0
        left, seen = lab.fire_pair(code, _LIST_EVERYTHING, wall_time_s=limit)
        same(left.status, status, "verdict")
        same(seen.value, _NOTHING, "what the next call sees")


@CASES.control("XL-01")
def the_same_look_finds_own_files(lab: Lab) -> None:
    own = lab.fire(_WRITE_EVERYWHERE).value
    look = _WRITE_EVERYWHERE.replace("def f(", "def write(") + _LIST_EVERYTHING.replace(
        "    found = []", "    write('returns')\n    found = []"
    )
    found = lab.fire(look).value[0]
    same((len(own), own[0].startswith("/call/"), len(found)), (1, True, 1), "files made, in its directory, found")


_ODD_FILES: Final = r"""
import os
NAMES = [b"new\nline", b"x" * 255, b"\xff\xfe", b"-rf", b" ", b"\xe2\x80\xae", b"*", b"..."]
def f():
    for name in NAMES:
        open(name, "x").close()
        os.link(name, name[:200] + b"+")
        os.chmod(name, 0)
    os.makedirs("a/" * 100)
    here = os.open(".", os.O_RDONLY)
    for _ in range(200):
        os.mkdir("d"); os.chdir("d")
    os.fchdir(here)
    os.mkfifo("pipe") if not mkfifo_denied() else None
    os.mkdir("shut"); os.mkdir("shut/in"); os.chmod("shut/in", 0); os.chmod("shut", 0)
    os.symlink("..", "up"); os.symlink("loop", "loop"); os.symlink("/proc/self/root", "root")
    os.chmod(".", 0)
    return len(NAMES)
def mkfifo_denied():
    try:
        os.mkfifo("probe")
    except OSError:
        return True
    return False
"""


@CASES.case(
    "XL-02",
    "Leaves files of odd modes and names, hard links, paths of 400 directories, loops of links: all are removed",
    threats=("T-LAT-02",),
)
def odd_files(lab: Lab) -> None:
    left, seen = lab.fire_pair(_ODD_FILES, _LIST_EVERYTHING)
    same(left.value, 8)
    same(seen.value, _NOTHING, "what the next call sees")


@CASES.control("XL-02", runtimes=("runc",))
def they_are_there_while_the_call_runs(lab: Lab) -> None:
    def seen(container: str) -> None:
        sure(len(lab.observer.scratch(container)) > 300, "not there yet")

    lab.fire(_ODD_FILES.replace("return len(NAMES)", "import time; time.sleep(0.8)"), during=seen)


_POISON: Final = """
import os, sys
def f():
    made = []
    home = os.environ["HOME"]
    for path in ("json.py", "struct.py", "sitecustomize.py", "usercustomize.py", "__pycache__/json.cpython-313.pyc",
                 "lib.pth", ".local/lib/python3.13/site-packages/usercustomize.py", ".pythonrc",
                 "encodings/__init__.py"):
        for base in {home, os.getcwd(), *sys.path, "/usr/lib/python3.13", "/usr/lib/toolwright/toolwright_agent"}:
            try:
                os.makedirs(os.path.dirname(os.path.join(base, path)), exist_ok=True)
                with open(os.path.join(base, path), "w") as file:
                    file.write("raise SystemExit('poisoned')")
                made.append(base)
            except OSError:
                continue
    os.environ.update(PYTHONSTARTUP=home + "/.pythonrc", PYTHONPATH=home)
    return sorted(set(made) - {home})
"""
_IMPORTS: Final = """
import json, os, struct, sys
def f():
    import colorsys, sched, tabnanny
    import encodings.idna
    poisoned = [name for name in ("sitecustomize", "usercustomize") if name in sys.modules]
    flags = [sys.flags.isolated, sys.flags.no_site, sys.flags.dont_write_bytecode, sys.flags.safe_path]
    return [poisoned, flags, "" in sys.path, [path for path in sys.path if path.startswith("/call")], json.dumps(1)]
"""


@CASES.case(
    "XL-12",
    "Poisons module names, bytecode, .pth files and start-up files: none can be written but in its own directory, "
    "which is not searched, and the next call loads none",
    threats=("T-LAT-02", "T-LAT-03"),
)
def poisoned_modules(lab: Lab) -> None:
    left, seen = lab.fire_pair(_POISON, _IMPORTS)
    same(left.value, [], "other places that could be written")
    same(seen.value, [[], [1, 1, 1, True], False, [], "1"], "poisoned, flags, search path")


@CASES.control("XL-12")
def a_module_in_the_search_path_is_loaded(lab: Lab) -> None:
    own = """
import os, sys
def f():
    with open("colorsys.py", "w") as file:
        file.write("WHAT = 'mine'")
    try:
        import colorsys
        alone = getattr(colorsys, "WHAT", "the library's")
    finally:
        del sys.modules["colorsys"]
        sys.path.insert(0, os.getcwd())
    import importlib
    importlib.invalidate_caches()
    return [alone, importlib.import_module("colorsys").WHAT]
"""
    same(lab.fire(own).value, ["the library's", "mine"])


_WRITE_LIBRARY: Final = """
import os, sys
def f(places):
    answers = set()
    for base in places:
        for where, _, files in os.walk(base):
            for name in [*files[:2], "new.py"]:
                try:
                    with open(os.path.join(where, name), "ab") as file:
                        file.write(b"#")
                    answers.add("written " + where)
                except OSError as fault:
                    answers.add(type(fault).__name__)
    return sorted(answers)
"""
_PLACES: Final = '{"places": ["/usr/lib/python3", "/usr/lib/python3.13", "/usr/lib/toolwright"]}'


@CASES.case(
    "XL-13",
    "Writes into the library, its bytecode and the agent's code: denied as read-only or not its own",
    threats=("T-LAT-02", "T-ESC-03"),
)
def library(lab: Lab) -> None:
    answers = lab.fire(_WRITE_LIBRARY, arguments_json=_PLACES).value
    sure(answers and set(answers) <= {"OSError", "PermissionError"}, f"it got {answers}")


@CASES.control("XL-13", runtimes=("runc",))
def root_on_a_writable_system_could(lab: Lab) -> None:
    with lab.weakened(Layer.READ_ONLY | Layer.USER) as open_door:
        answers = returned(open_door.run(_WRITE_LIBRARY, arguments_json=_PLACES))
    sure(any(one.startswith("written") for one in answers), f"not even root could: {answers}")


_HOLD_SPACE: Final = """
import mmap, os, time
def f():
    fd = os.open("unlinked", os.O_RDWR | os.O_CREAT)
    os.unlink("unlinked")
    os.truncate(fd, 16 << 20)
    os.pwrite(fd, b"x" * (8 << 20), 0)
    if os.fork() == 0:
        os.setsid()
        held = mmap.mmap(fd, 16 << 20)
        held[8 << 20:] = b"y" * (8 << 20)
        os.kill(os.getpid(), 19)
        os._exit(0)
    time.sleep(0.1)
    here = os.statvfs(".")
    return (here.f_blocks - here.f_bfree) * here.f_frsize >> 20
"""
_FREE_SPACE: Final = """
import os
def f():
    here = os.statvfs(".")
    return (here.f_blocks - here.f_bfree) * here.f_frsize >> 20
"""


@CASES.case(
    "XL-28",
    "Holds space of the scratch directory by an unlinked file that a stopped process has mapped: it is free again",
    threats=("T-LAT-02",),
)
def held_space(lab: Lab) -> None:
    held, free = lab.fire_pair(_HOLD_SPACE, _FREE_SPACE)
    sure(held.value >= 16, f"NOT PROVEN: only {held.value} MiB were held")
    same(free.value, 0, "MiB in use for the next call")


@CASES.control("XL-28")
def own_space_is_seen(lab: Lab) -> None:
    writes = _FREE_SPACE.replace("def f():\n", "def f():\n    open('big', 'wb').write(b'x' * (4 << 20))\n")
    same(lab.fire(writes).value, 4, "MiB in use")
