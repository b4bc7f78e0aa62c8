"""CO: source that attacks whoever reads, compiles, loads or describes it. Only a call's own process ever does."""

from __future__ import annotations

import os
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import among, same, sure
from toolwright.domain.call import Operation
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status

CASES: Final = Catalog("CO", "Reading, loading and describing source")

_END: Final = "\ndef f():\n    return 1\n"
_SUMS: Final = "x = (0\n" + ("+0" * 4_000 + "\n") * 25 + ")"
_SIGNS: Final = "x = (\n" + ("-" * 9_000 + "\n") * 10 + "1)"
_NESTED: Final = "x = " + "[" * 90 + "1" + " for a in b]" * 90


@CASES.case(
    "CO-02",
    "Is too deep for the parser, or crashes the compiler, or ends its process while it loads: LOAD_ERROR, and only "
    "that process is gone",
    threats=("T-LEAK-03", "T-DOS-03"),
)
def kills_the_compiler(lab: Lab) -> None:
    own = os.getpid()
    for what, code in {"sums": _SUMS, "signs": _SIGNS, "nested": _NESTED, "exits": "import os\nos._exit(0)"}.items():
        shot = lab.fire(code + _END, destructive=True)
        same((shot.status, shot.survived), (Status.LOAD_ERROR, True), what)
    same(os.getpid(), own, "process of the server")


@CASES.control("CO-02")
def less_of_it_loads(lab: Lab) -> None:
    for code in (
        _SUMS.replace("+0" * 4_000, "+0" * 4),
        _SIGNS.replace("-" * 9_000, "-" * 9),
        _NESTED.replace("[" * 90, "[" * 9).replace(" for a in b]" * 90, " for a in [1]]" * 9),
    ):
        same(lab.fire(code + _END).value, 1)


_NAMES: Final = {
    "folds to ASCII": "\uff46 = 1",
    "looks like ASCII": "\u0430 = 1",
    "attribute": "f.\u0430 = 1",
    "variation selector": "a\ufe0f = 1",
    "within an f-string": "a = f'{\uff46}'",
}


@CASES.case(
    "CO-07",
    "Has names that look like others (homoglyphs, folded letters, variation selectors): refused before any of it runs, "
    "with line and character, in ASCII",
    threats=("T-LIE-04",),
)
def deceiving_names(lab: Lab) -> None:
    for what, line in _NAMES.items():
        outcome = lab.execute(f"def f():\n    return 1\nprint('ran')\n{line}\n").outcome
        message = outcome.failure.message if outcome.failure else ""
        same((outcome.status, outcome.stdout.kept), (Status.LOAD_ERROR, b""), what)
        sure(message.startswith("line 4: the name") and message.isascii(), f"{what}: {message!a}")


@CASES.control("CO-07")
def text_in_any_script_is_fine(lab: Lab) -> None:
    code = "def f():\n    n = 1  # \u2192 na\u00efve \u2705\ufe0f\n    return f'\u043f\u0440\u0438 {n}: \u00e9\u6f22'\n"
    same(lab.fire(code).value, "\u043f\u0440\u0438 1: \u00e9\u6f22")


@CASES.case(
    "CO-09",
    "Loops while it is loaded: TIMEOUT at the limit that loading has of its own, which says so",
    threats=("T-DOS-03",),
)
def endless_loading(lab: Lab) -> None:
    shot = lab.fire("while True:\n    pass" + _END, wall_time_s=lab.golden(0.5, gvisor=1.0))
    same((shot.status, shot.survived), (Status.TIMEOUT, True))


@CASES.control("CO-09")
def what_loads_in_time_has_all_of_its_time(lab: Lab) -> None:
    limits = Limits(wall_time_s=10, load_time_s=lab.golden(0.4, gvisor=1.0))
    with lab.weakened() as sandbox:
        slow = sandbox.run("import time\ndef f():\n    time.sleep(1.2)\n    return 1", limits=limits)
        endless = sandbox.run("while True:\n    pass" + _END, limits=limits)
    same(slow.status, Status.SUCCESS)
    same((endless.status, endless.failure and endless.failure.type), (Status.TIMEOUT, "LoadTimeLimit"))


_SIDE_EFFECTS: Final = """
import os, signal, threading, time
print("loading")
open("left", "w").close()
signal.signal(signal.SIGALRM, signal.SIG_IGN)
threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
if os.fork() == 0:
    os.setsid()
    time.sleep(3600)
"""
_FIND: Final = """
import os
def f():
    alive = [name for name in os.listdir("/proc") if name.isdecimal() and os.stat(f"/proc/{name}").st_uid != 0]
    return [os.listdir("."), len(alive)]
"""


@CASES.case(
    "CO-10",
    "Forks, prints, writes files, starts threads while it is loaded or described: the same limits and cleaning up",
    threats=("T-LAT-01", "T-LAT-02"),
)
def side_effects_of_loading(lab: Lab) -> None:
    left, seen = lab.fire_pair(_SIDE_EFFECTS + _END, _FIND)
    same((left.value, left.outcome.stdout.kept), (1, b"loading\n"))
    same(seen.value, [[], 1], "what the next call sees")
    described = lab.fire(_SIDE_EFFECTS + "def f() -> int:\n    return 1", operation=Operation.DESCRIBE)
    same(described.status, Status.SUCCESS)
    same(lab.fire(_FIND).value, [[], 1], "what is seen after a description")


@CASES.control("CO-10")
def they_have_effect(lab: Lab) -> None:
    same(lab.fire(_SIDE_EFFECTS + _FIND).value, [["left"], 2], "files, processes")


_AT_DEFINITION: Final = """
import os
seen = []
def note(what):
    seen.append([what, os.getuid() >= 1000])
    return lambda thing: thing
class Meta(type):
    @classmethod
    def __prepare__(mcls, name, bases):
        note("__prepare__")
        return {}
class Body(metaclass=Meta):
    note("class body")
@note("decorator")
def f(a: note("annotation") = note("default") and 1):
    return sorted(what for what, confined in seen if confined)
"""


@CASES.case(
    "CO-11",
    "Runs code by decorators, defaults, annotations, class bodies, metaclasses: all of it in the sandbox, in loading "
    "as in describing",
    threats=("T-LEAK-03",),
)
def code_at_definition(lab: Lab) -> None:
    ran = lab.fire(_AT_DEFINITION).value
    same(ran, ["__prepare__", "annotation", "class body", "decorator", "default"])
    sure("seen" not in globals(), "it ran here")


@CASES.control("CO-11")
def none_of_it_runs_if_it_is_not_there(lab: Lab) -> None:
    same(lab.fire("seen = []\ndef f():\n    return seen").value, [])


_LIARS: Final = {
    "wrapped loop": "def f(): pass\nf.__wrapped__ = f",
    "signature that raises": "class S:\n    @property\n    def __signature__(self): raise RuntimeError\n"
    "    def __call__(self): pass\nf = S()",
    "signature of another type": "def f(): pass\nf.__signature__ = 'lie'",
    "annotation that raises": "def f(a: '1/0'): pass",
    "annotation that is huge": "def f(a: 'x' * 10**6): pass",
    "attributes that raise": "class S:\n    def __getattr__(self, name): raise MemoryError\n"
    "    def __call__(self): pass\nf = S()",
    "no annotation": "def f(a): pass",
}


@CASES.case(
    "CO-13",
    "Lies to introspection, or makes it hang or fail: LOAD_ERROR or TIMEOUT in the sandbox, no fault of the server",
    threats=("T-LEAK-03", "T-LIE-03"),
)
def lying_signatures(lab: Lab) -> None:
    for what, code in _LIARS.items():
        outcome = lab.execute(code, operation=Operation.DESCRIBE).outcome
        among(outcome.status, {Status.LOAD_ERROR, Status.TOOL_ERROR}, what)
    hangs = _LIARS["signature that raises"].replace("raise RuntimeError", "\n        while True: pass")
    shot = lab.fire(hangs, operation=Operation.DESCRIBE, wall_time_s=lab.golden(0.5, gvisor=1.0))
    same(shot.status, Status.TIMEOUT)


@CASES.control("CO-13")
def an_honest_one_is_described(lab: Lab) -> None:
    described = lab.fire("def f(a: int, b: str = 'x') -> int:\n    return a", operation=Operation.DESCRIBE).value
    same(sorted(described["parameters"]["properties"]), ["a", "b"])


_HUGE: Final = {
    "digits": ("x = " + "9" * 5_000, {Status.LOAD_ERROR}),
    "folded text": ("x = 'x' * 10**9 + 'y'", {Status.LOAD_ERROR, Status.OUT_OF_MEMORY}),
    "folded shift": ("x = (1 << 10**10) + 1", {Status.LOAD_ERROR, Status.OUT_OF_MEMORY}),
    "list": ("x = [0] * 10**9", {Status.LOAD_ERROR, Status.OUT_OF_MEMORY}),
}


@CASES.case(
    "CO-14",
    "Holds or folds huge constants: LOAD_ERROR or OUT_OF_MEMORY in the sandbox",
    threats=("T-DOS-02", "T-LEAK-03"),
)
def huge_constants(lab: Lab) -> None:
    for what, (line, allowed) in _HUGE.items():
        shot = lab.fire(line + _END, destructive=True)
        among(shot.status, allowed, what)


@CASES.control("CO-14")
def small_constants_load(lab: Lab) -> None:
    same(lab.fire("x = 9 ** 99 + (1 << 100); y = 'x' * 1000" + _END).value, 1)


@CASES.case(
    "CO-15",
    "Makes the compiler work: thousands of functions, nested ones, a huge match: it loads, or ends within its limits",
    threats=("T-DOS-03",),
)
def compiler_work(lab: Lab) -> None:
    nested = "".join(" " * depth + f"def g{depth}():\n" for depth in range(90)) + " " * 90 + "pass\n"
    sources = {
        "functions": "\n".join(f"def g{n}(): pass" for n in range(10_000)),
        "nested": nested,
        "match": "def g(x):\n match x:\n" + "".join(f"  case {n}: pass\n" for n in range(8_000)),
        "locals": "def g():\n" + "".join(f" v{n} = {n}\n" for n in range(15_000)),
    }
    for what, code in sources.items():
        shot = lab.fire(code + _END, destructive=True)
        among(shot.status, {Status.SUCCESS, Status.LOAD_ERROR, Status.TIMEOUT, Status.OUT_OF_MEMORY}, what)


@CASES.control("CO-15")
def a_little_of_it_loads(lab: Lab) -> None:
    same(lab.fire("\n".join(f"def g{n}(): pass" for n in range(10)) + _END).value, 1)


@CASES.case("CO-17", "Warns a thousand times in loading: output like any, and capped", threats=("T-DOS-04",))
def many_warnings(lab: Lab) -> None:
    code = "import warnings\nwarnings.simplefilter('always')\n" + "\n".join(f"x{n} = 1 is {n}" for n in range(1_500))
    shot = lab.fire(code + _END)
    same(shot.value, 1)
    sure(len(shot.outcome.stderr.kept) <= shot.execution.limits.output_bytes, "more is kept than the limit")


@CASES.control("CO-17")
def one_warning_is_seen(lab: Lab) -> None:
    code = "import warnings\ndef f():\n    warnings.simplefilter('always')\n    warnings.warn('seen')\n    return 1"
    sure(b"seen" in lab.fire(code).outcome.stderr.kept, "a warning is not in the output")


_ENTRIES: Final = {
    "async": "async def f(): return 1",
    "generator": "def f(): yield 1",
    "async generator": "async def f(): yield 1",
    "class": "class f: pass",
    "number": "f = 1",
    "property": "f = property(lambda self: 1)",
    "coroutine": "import types\n@types.coroutine\ndef f(): yield 1",
}
_CALLABLES: Final = {
    "lambda": "f = lambda: 1",
    "partial": "import functools\nf = functools.partial(int, 1)",
    "bound method": "class C:\n    def m(self): return 1\nf = C().m",
    "object": "class C:\n    def __call__(self): return 1\nf = C()",
    "cached": "import functools\n@functools.cache\ndef f(): return 1",
}


@CASES.case(
    "CO-22",
    "Has an entry point that is no plain function: LOAD_ERROR for coroutines, generators, classes and values; what can "
    "be called and returns is called",
    threats=("T-LIE-02",),
)
def odd_entry_points(lab: Lab) -> None:
    for what, code in _ENTRIES.items():
        same(lab.execute(code).outcome.status, Status.LOAD_ERROR, what)
    same(lab.fire("def g(): return 1").status, Status.LOAD_ERROR, "no f at all")


@CASES.control("CO-22")
def what_returns_is_called(lab: Lab) -> None:
    for what, code in _CALLABLES.items():
        same(lab.execute(code).outcome.result_json, "1", what)


_PARAMETERS: Final = {
    "positional only": "def f(a: int, /): return a",
    "any number": "def f(*a: int): return a",
    "any names": "def f(**a: int): return a",
}


@CASES.case(
    "CO-23",
    "Has parameters that JSON cannot give by name: LOAD_ERROR when it is described; odd names are plain names",
    threats=("T-LIE-03",),
)
def odd_parameters(lab: Lab) -> None:
    for what, code in _PARAMETERS.items():
        same(lab.execute(code, operation=Operation.DESCRIBE).outcome.status, Status.LOAD_ERROR, what)
    positional = lab.fire(_PARAMETERS["positional only"], arguments_json='{"a": 1}')
    same((positional.status, positional.failure), (Status.TOOL_ERROR, "TypeError"))


@CASES.control("CO-23")
def odd_names_are_given(lab: Lab) -> None:
    code = "def f(self, class_, __init__, cls=[1]):\n    cls.append(self)\n    return [self, class_, __init__, cls]"
    given = '{"self": 1, "class_": 2, "__init__": 3}'
    same(lab.fire(code, arguments_json=given).value, [1, 2, 3, [1, 1]])
    same(lab.fire(code, arguments_json=given).value, [1, 2, 3, [1, 1]], "a default that was changed")
