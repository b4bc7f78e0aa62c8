"""CO: tricks with the interpreter that runs the code."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import among, same, sure
from toolwright.attacks.sabotage import Layer
from toolwright.domain.call import Operation
from toolwright.domain.outcome import Status

CASES: Final = Catalog("CO", "The interpreter")


@CASES.case(
    "CO-16",
    "Recurses for ever, with the limit as it is and raised: TOOL_ERROR, or CRASHED by its stack",
    threats=("T-DOS-02",),
)
def endless_recursion(lab: Lab) -> None:
    plain = lab.fire("def f():\n    return f()")
    same((plain.status, plain.failure), (Status.TOOL_ERROR, "RecursionError"))
    raised = lab.fire("import sys\nsys.setrecursionlimit(10**9)\ndef f():\n    return [f()]", destructive=True)
    among(raised.status, {Status.TOOL_ERROR, Status.CRASHED, Status.OUT_OF_MEMORY}, "with the limit raised")


@CASES.control("CO-16")
def deep_but_legal(lab: Lab) -> None:
    same(lab.fire("def f(n=900):\n    return 0 if n == 0 else 1 + f(n - 1)").value, 900)


_SHADOW: Final = """
import os, sys
for name in ("json.py", "struct.py", "linecache.py", "inspect.py", "encodings.py"):
    with open(name, "w") as file:
        file.write("raise SystemExit('shadowed')")
sys.path.insert(0, os.getcwd())
def f(a: int = 1) -> int:
    raise ValueError("own")
"""


@CASES.case(
    "CO-19",
    "Puts modules of the agent's names into its directory: what the agent needs is loaded long before",
    threats=("T-LAT-03",),
)
def shadowed_modules(lab: Lab) -> None:
    shot = lab.fire(_SHADOW)
    same((shot.status, shot.failure, shot.message), (Status.TOOL_ERROR, "ValueError", "own"))


@CASES.control("CO-19")
def shadowed_for_itself(lab: Lab) -> None:
    code = _SHADOW.replace('"json.py"', '"colorsys.py"').replace(
        "def f(a: int = 1) -> int:\n", "def f():\n    import colorsys\n"
    )
    shot = lab.fire(code)
    same((shot.status, shot.message), (Status.TOOL_ERROR, "shadowed"))


_SURROUNDINGS: Final = """
import os, resource, signal, sys, threading
def f():
    limits = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")}
    frames, frame = [], sys._getframe()
    while frame:
        frames.append(frame.f_code.co_name)
        frame = frame.f_back
    return [sorted(os.environ), sys.argv, limits, frames, os.getcwd() == os.environ["HOME"], __name__ != "__main__",
            sorted(sys.flags), signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, threading.active_count(),
            sorted(os.listdir("/")), __file__ if "__file__" in globals() else None, os.umask(0o77)]
"""


@CASES.case(
    "CO-21",
    "Looks for signs that it is being verified: a verification runs the same call in the same surroundings",
    threats=("T-LIE-05",),
)
def detects_verification(lab: Lab) -> None:
    seen = lab.fire(_SURROUNDINGS).value
    again = lab.fire(_SURROUNDINGS).value
    same(again, seen, "surroundings of two calls")
    sure(not any("verif" in str(part).lower() or "test" in str(part).lower() for part in seen), f"a sign in {seen}")


@CASES.control("CO-21")
def other_surroundings_are_seen(lab: Lab) -> None:
    inside = _SURROUNDINGS.replace("def f():", "def f():\n    os.environ['VERIFIED'] = '1'")
    sure(lab.fire(inside).value != lab.fire(_SURROUNDINGS).value, "another environment looks the same")


_PICKLED: Final = """
class Hook:
    def __reduce__(self):
        print("reduced"); return (print, ("unpickled",))
    def __getstate__(self):
        print("state"); return {}
    def __deepcopy__(self, memo):
        print("copied"); return self
HOOK = Hook()
def f(a: int = 1, hook: object = HOOK):
    return hook
"""


@CASES.case(
    "CO-24",
    "Hopes for a pickle, by defaults and results with hooks: nothing is ever pickled or copied, neither here nor there",
    threats=("T-LEAK-03", "T-LIE-03"),
)
def hooks_of_pickle(lab: Lab) -> None:
    shot = lab.fire(_PICKLED)
    same((shot.status, shot.outcome.stdout.kept), (Status.RESULT_INVALID, b""))
    same(lab.fire(_PICKLED, operation=Operation.DESCRIBE).outcome.stdout.kept, b"", "output of a description")


@CASES.control("CO-24")
def a_pickle_of_its_own_calls_the_hook(lab: Lab) -> None:
    code = _PICKLED.replace("    return hook\n", "    import pickle\n    pickle.dumps(hook)\n    return 1\n")
    same(lab.fire(code).outcome.stdout.kept, b"reduced\n")


_MAIN: Final = """
import sys
ran = []
if __name__ == "__main__":
    ran.append("main")
def f():
    import __main__
    names = [name for name in vars(__main__) if not name.startswith("__")]
    values = [type(vars(__main__)[name]).__name__ for name in names]
    plain = ("module", "function", "str", "tuple", "_Feature")
    return [ran, "secret" in repr(vars(__main__)).lower(), [one for one in values if one not in plain]]
"""


@CASES.case(
    "CO-25",
    "Runs as the main program, and reads the agent's globals: it is no main program, and they hold nothing of value",
    threats=("T-LEAK-01",),
)
def main_program(lab: Lab) -> None:
    same(lab.fire(_MAIN).value, [[], False, []], "ran as main, secrets, values of other types")


@CASES.control("CO-25")
def globals_can_be_read(lab: Lab) -> None:
    found = lab.fire("def f():\n    import __main__\n    return sorted(vars(__main__))").value
    sure("main" in found, f"the agent's globals are {found}")


_DYNAMIC: Final = """
import importlib, types
def f(how):
    if how == "eval":
        return eval("1 + 1")
    if how == "exec":
        space = {}
        exec(compile("x = 2", "made", "exec"), space)
        return space["x"]
    if how == "import":
        return __import__("math").gcd(4, 6)
    code = f.__code__.replace(co_code=bytes([255, 255] * 50), co_consts=(), co_names=(), co_stacksize=0)
    return types.FunctionType(code, {})(how)
"""


@CASES.case(
    "CO-26",
    "Runs code objects of made-up bytes: CRASHED at worst; exec and imports are free: no rule on source is a wall",
    threats=("T-LIE-02",),
)
def made_up_bytecode(lab: Lab) -> None:
    shot = lab.fire(_DYNAMIC, arguments_json='{"how": "bytes"}', wall_time_s=lab.golden(1.0, gvisor=2.0))
    among(shot.status, {Status.CRASHED, Status.TOOL_ERROR, Status.TIMEOUT, Status.RESULT_INVALID}, "verdict")


@CASES.control("CO-26")
def dynamic_code_is_free(lab: Lab) -> None:
    for how in ("eval", "exec", "import"):
        same(lab.execute(_DYNAMIC, arguments_json=f'{{"how": "{how}"}}').outcome.result_json, "2", how)


_FRAMES: Final = """
import os, sys
def is_open(value):
    try:
        fd = value if type(value) is int else value.fileno()
        os.fstat(fd)
    except (AttributeError, OSError, OverflowError, TypeError, ValueError):
        return False
    return fd > 4
def walk(frame):
    found = {}
    while frame:
        own = [name for name, value in frame.f_locals.items() if is_open(value)]
        found.setdefault(frame.f_code.co_name, own)
        frame = frame.f_back
    return found
def f():
    try:
        raise ValueError
    except ValueError as fault:
        by_traceback = walk(fault.__traceback__.tb_frame)
    generator = (walk(generator.gi_frame.f_back or sys._getframe()) for _ in [1])
    return [by_traceback, next(generator)]
"""


@CASES.case(
    "CO-27",
    "Walks frames by tracebacks and generators up to the agent's: it finds its own process' data alone",
    threats=("T-LEAK-01",),
)
def frame_walk(lab: Lab) -> None:
    for found in lab.fire(_FRAMES).value:
        same({name for names in found.values() for name in names}, set(), "open descriptors in the agent's frames")


@CASES.control("CO-27")
def the_walk_goes_up(lab: Lab) -> None:
    code = _FRAMES.replace("def f():\n", "def f():\n    kept = os.dup(os.open('/dev/null', os.O_RDONLY))\n")
    by_traceback, _ = lab.fire(code).value
    sure({"f", "run"} <= set(by_traceback), f"only {sorted(by_traceback)} were walked")
    same(by_traceback["f"], ["kept"], "its own open descriptor")


_AGAIN: Final = """
import os, sys
def f():
    os.environ["PYTHONINSPECT"] = os.environ["PYTHONSTARTUP"] = "1"
    os.set_inheritable(1, True)
    try:
        os.execve("/proc/self/exe", ["python", "-c", "print('again')"], {**os.environ, "PYTHONHOME": "/call"})
    except OSError as fault:
        return fault.errno
"""


@CASES.case(
    "CO-28",
    "Sets the interpreter's variables and starts it again: it cannot start anything, and the next call has its own",
    threats=("T-LAT-03", "T-ESC-03"),
)
def started_again(lab: Lab) -> None:
    left, seen = lab.fire_pair(
        _AGAIN, "import os\ndef f():\n    return [n for n in os.environ if n.startswith('PYTHON')]"
    )
    same(left.value, 1, "errno: EPERM")
    same(seen.value, ["PYTHON_DISABLE_REMOTE_DEBUG"], "variables of the next call")


@CASES.control("CO-28")
def without_the_filter_it_starts(lab: Lab) -> None:
    with lab.weakened(Layer.CALL_FILTER) as open_door:
        code = _AGAIN.replace(', "PYTHONHOME": "/call"', "")
        outcome = open_door.run(code)
    same(outcome.stdout.kept, b"again\n")


_TRACERS: Final = {
    "settrace loops": "sys.settrace(loop)\n    return g()",
    "setprofile loops": "sys.setprofile(loop)\n    return g()",
    "audit hook loops": "sys.addaudithook(loop)\n    return open('/dev/null')",
    "settrace raises": "sys.settrace(fail)\n    return g()",
    "audit hook raises": "sys.addaudithook(fail)\n    return 1",
    "profile hides": "sys.setprofile(lambda *a: None)\n    return 1",
    "monitoring": "sys.monitoring.use_tool_id(0, 'x'); sys.monitoring.set_events(0, 2**10 - 1)\n    return 1",
}


@CASES.case(
    "CO-29",
    "Traces, profiles, hooks audits, with functions that loop or raise: TIMEOUT or TOOL_ERROR, never another's",
    threats=("T-LIE-01", "T-DOS-03"),
)
def tracers(lab: Lab) -> None:
    start = (
        "import sys\ndef loop(*a):\n    while True: pass\ndef fail(*a):\n    raise ValueError\ndef g():\n    return 1\n"
    )
    for what, line in _TRACERS.items():
        limit = lab.golden(0.4, gvisor=1.0) if "loops" in what else 5.0
        outcome = lab.execute(f"{start}def f():\n    {line}", wall_time_s=limit).outcome
        expected = {Status.TIMEOUT} if "loops" in what else {Status.SUCCESS, Status.TOOL_ERROR, Status.CRASHED}
        among(outcome.status, expected, what)
    same(
        lab.fire("import sys\ndef f():\n    return [sys.gettrace(), sys.getprofile()]").value,
        [None, None],
        "the next call's",
    )


@CASES.control("CO-29")
def a_tracer_sees_calls(lab: Lab) -> None:
    code = "import sys\ndef f():\n    seen = []\n    sys.setprofile(lambda frame, event, arg: seen.append(event))\n"
    code += "    len([])\n    sys.setprofile(None)\n    return 'c_call' in seen"
    same(lab.fire(code).value, expected=True)


_NATIVE: Final = """
import ctypes, errno, importlib.machinery, importlib.util, mmap, os, shutil, zipfile, sys
def f():
    answers = {}
    found = [os.path.join(where, name) for where, _, names in os.walk("/usr/lib") for name in names if ".so" in name]
    shutil.copy(found[0], "library.so")
    try:
        ctypes.CDLL(os.path.abspath("library.so"))
        answers["dlopen"] = "loaded"
    except OSError as fault:
        answers["dlopen"] = "not permitted" if "failed to map" in str(fault) else str(fault)
    with open("library.so", "rb") as file:
        try:
            mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)
            answers["executable map"] = "mapped"
        except OSError as fault:
            answers["executable map"] = errno.errorcode[fault.errno]
    with zipfile.ZipFile("modules.zip", "w") as archive:
        archive.writestr("packed.py", "VALUE = 7")
    sys.path.insert(0, os.path.abspath("modules.zip"))
    import packed
    answers["zip"] = packed.VALUE
    return answers
"""


@CASES.case(
    "CO-30",
    "Loads machine code from its scratch space: denied, as nothing there can be mapped to run; a zip of Python is its "
    "own business",
    threats=("T-ESC-03",),
    differs={
        "runsc": "gVisor's scratch space is no mount that denies execution; the code it runs there is the call's own"
    },
)
def native_code(lab: Lab) -> None:
    denied = {"dlopen": "not permitted", "executable map": "EPERM", "zip": 7}
    answers = lab.fire(_NATIVE).value
    if lab.gvisor:
        same(answers["zip"], 7)
    else:
        same(answers, denied)


@CASES.control("CO-30")
def machine_code_of_the_image_is_loaded(lab: Lab) -> None:
    same(lab.fire("import ctypes\ndef f():\n    return ctypes.CDLL('libc.so.6').abs(-3)").value, 3)
