"""PR: hostile objects as results, errors, streams and modules."""

from __future__ import annotations

import json
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import among, same, sure
from toolwright.domain.outcome import Status

CASES: Final = Catalog("PR", "Results and errors that are hostile objects")

_STRANGE: Final = {
    "{1, 2}": "result is a set",
    "b'bytes'": "result is a bytes",
    "__import__('datetime').datetime.now()": "result is a datetime",
    "__import__('decimal').Decimal(1)": "result is a Decimal",
    "__import__('pathlib').Path('.')": "result is a PosixPath",
    "lambda: 1": "result is a function",
    "__import__('json')": "result is a module",
    "open('/dev/null')": "result is a TextIOWrapper",
    "object()": "result is a object",
    "int": "result is a type",
    "...": "result is a ellipsis",
    "1j": "result is a complex",
    "{'a': [1, {'b': {2}}]}": "result.a[1].b is a set",
    "{1: 2}": "result has a key that is a int",
    "(lambda x: x.append(x) or x)([])": "nested deeper than 64 levels",
}


@CASES.case(
    "PR-16",
    "Returns what has no JSON form, alone or deep inside, or holds itself: RESULT_INVALID, with type and place",
    threats=("T-LIE-03",),
)
def strange_types(lab: Lab) -> None:
    code = "VALUES = {__VALUES__}\ndef f():\n    return VALUES[KEY]()"
    for expression, message in _STRANGE.items():
        execution = lab.execute(f"def f():\n    return {expression}")
        outcome = execution.outcome
        same(outcome.status, Status.RESULT_INVALID, expression)
        sure(outcome.failure and message in outcome.failure.message, f"{expression}: {outcome.failure}")
    same(lab.fire(code.replace("__VALUES__", "").replace("KEY", "0")).status, Status.TOOL_ERROR)


@CASES.control("PR-16")
def what_json_has(lab: Lab) -> None:
    value: list[object] = [None, True, 1, -0.5, "text", [], {}, {"a": [1, {"b": []}]}]
    same(lab.fire(f"def f():\n    return {value!r}").value, value)


_SUBCLASSES: Final = """
class Text(str):
    def encode(self, *a): return b'"lie"'
class Number(int):
    def __repr__(self): return '"lie"'
class Table(dict):
    def items(self): return [("lie", 1)]
class Row(list):
    def __iter__(self): return iter(["lie"])
    def __len__(self): return 10**9
class Liar:
    __class__ = str
    def __eq__(self, other): return True
    def __hash__(self): return 1
class Key(str):
    def __hash__(self): return 7
    def __eq__(self, other): return True
VALUES = {"text": Text("x"), "number": Number(1), "table": Table(a=1), "row": Row([1]), "liar": Liar(),
          "key": {Key("a"): 1}, "inside": [[Text("x")]]}
def f(kind):
    return VALUES[kind]
"""


@CASES.case(
    "PR-17",
    "Returns subclasses of str, int, dict and list that lie about their content: only exact types are taken",
    threats=("T-LIE-03",),
)
def lying_subclasses(lab: Lab) -> None:
    for kind in ("text", "number", "table", "row", "liar", "key", "inside"):
        shot = lab.execute(_SUBCLASSES, arguments_json=json.dumps({"kind": kind}))
        same(shot.outcome.status, Status.RESULT_INVALID, kind)
        sure("lie" not in str(shot.outcome.result_json), f"{kind} told its lie")


@CASES.control("PR-17")
def copies_of_them_are_taken(lab: Lab) -> None:
    code = _SUBCLASSES.replace("return VALUES[kind]", "return [dict.copy(dict(a=1)), int.__add__(VALUES['number'], 0)]")
    same(lab.fire(code, arguments_json='{"kind": ""}').value, [{"a": 1}, 1])


_LAZY: Final = {
    "(n for n in range(3))": "generator",
    "__import__('itertools').count()": "count",
    "map(str, [1])": "map",
    "iter([])": "list_iterator",
    "coroutine()": "coroutine",
    "f": "function",
}


@CASES.case(
    "PR-19",
    "Returns a generator, an endless iterator, a coroutine: RESULT_INVALID; none is drained",
    threats=("T-LIE-03",),
)
def lazy_results(lab: Lab) -> None:
    for expression, kind in _LAZY.items():
        code = "import warnings\nwarnings.simplefilter('ignore')\nasync def coroutine():\n    return 1\n"
        outcome = lab.execute(f"{code}def f():\n    return {expression}").outcome
        same(outcome.status, Status.RESULT_INVALID, expression)
        sure(outcome.failure and f"is a {kind}" in outcome.failure.message, f"{expression}: {outcome.failure}")


@CASES.control("PR-19")
def a_list_of_it_is_taken(lab: Lab) -> None:
    same(lab.fire("def f():\n    return list(n for n in range(3))").value, [0, 1, 2])


_ENDINGS: Final = {
    "sys.exit(0)": "SystemExit",
    "sys.exit('x')": "SystemExit",
    "raise SystemExit": "SystemExit",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise GeneratorExit": "GeneratorExit",
    "raise type('Own', (BaseException,), {})": "Own",
    "raise MemoryError": "MemoryError",
    "raise BaseExceptionGroup('many', [KeyboardInterrupt()])": "BaseExceptionGroup",
}


@CASES.case(
    "PR-22",
    "Ends by SystemExit, KeyboardInterrupt or an exception of its own making: TOOL_ERROR with its name",
    threats=("T-LIE-02",),
)
def base_exceptions(lab: Lab) -> None:
    for ending, name in _ENDINGS.items():
        outcome = lab.execute(f"import sys\ndef f():\n    {ending}").outcome
        found = outcome.failure.type if outcome.failure else ""
        same((outcome.status, found), (Status.TOOL_ERROR, name), ending)


@CASES.control("PR-22")
def caught_it_returns(lab: Lab) -> None:
    code = "import sys\ndef f():\n    try:\n        sys.exit(0)\n    except SystemExit:\n        return 1"
    same(lab.fire(code).value, 1)


_STREAMS: Final = """
import sys
class Stream:
    def __init__(self, how): self.how = how
    def write(self, text):
        if self.how == "raise": raise OSError("no")
        while self.how == "loop": pass
        return len(text)
    def flush(self): return self.write("")
    def __getattr__(self, name): raise AttributeError(name)
def f(how):
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = Stream(how)
    return "own"
"""


@CASES.case(
    "PR-26",
    "Puts streams in place that raise, swallow or loop: output is caught at the descriptor, a loop ends at its time",
    threats=("T-LIE-02", "T-DOS-03"),
)
def hostile_streams(lab: Lab) -> None:
    for how in ("raise", "swallow"):
        same(lab.fire(_STREAMS, arguments_json=json.dumps({"how": how})).value, "own", how)
    loops = lab.fire(_STREAMS, arguments_json='{"how": "loop"}', wall_time_s=lab.golden(0.4, gvisor=1.0))
    same(loops.status, Status.TIMEOUT)


@CASES.control("PR-26")
def the_descriptor_is_caught(lab: Lab) -> None:
    code = _STREAMS.replace('return "own"', "import os; os.write(1, b'below'); return 'own'")
    shot = lab.fire(code, arguments_json='{"how": "swallow"}')
    same((shot.value, shot.outcome.stdout.kept), ("own", b"below"))


_PATCHES: Final = {
    "json.JSONEncoder.encode = lambda *a, **k: 'not JSON'": {Status.RESULT_INVALID},
    "json.JSONEncoder.encode = lambda *a, **k: '{\"a\": NaN}'": {Status.RESULT_INVALID},
    "json.JSONEncoder.encode = lambda *a, **k: 5": {Status.RESULT_INVALID, Status.CRASHED, Status.TOOL_ERROR},
    "os.write = lambda fd, data: len(data)": {Status.CRASHED},
    "os._exit = lambda code: None": {Status.CRASHED, Status.SUCCESS},
    "struct.pack = struct.Struct.pack = None": {Status.SUCCESS, Status.TOOL_ERROR},
    "builtins.type = lambda value: dict": {Status.RESULT_INVALID, Status.CRASHED, Status.TOOL_ERROR},
    "sys.modules.clear()": {Status.SUCCESS, Status.CRASHED, Status.TOOL_ERROR, Status.RESULT_INVALID},
    "builtins.len = lambda value: 3": {Status.CRASHED, Status.RESULT_INVALID, Status.PROTOCOL},
}


@CASES.case(
    "PR-27",
    "Replaces json, os.write, struct, builtins and modules before it returns: only its own result suffers",
    threats=("T-LIE-01", "T-LIE-03"),
)
def patched_modules(lab: Lab) -> None:
    for patch, allowed in _PATCHES.items():
        code = "import builtins, json, os, struct, sys\ndef f():\n    try:\n"
        outcome = lab.execute(
            f"{code}        {patch}\n    except (TypeError, AttributeError):\n        pass\n    return 'own'"
        )
        among(outcome.outcome.status, allowed, patch)
    same(lab.fire("import json, os\ndef f():\n    return json.dumps([1])").value, "[1]", "the next call's json")


@CASES.control("PR-27")
def a_patch_takes_effect(lab: Lab) -> None:
    patch = "json.JSONEncoder.encode = lambda *a, **k: '\"patched\"'"
    same(lab.fire(f"import json\ndef f():\n    {patch}\n    return 1").value, "patched")


_SEARCH: Final = """
import gc, os, sys
def f(secret, wanted):
    found = set()
    def look(text, where):
        for name, value in wanted.items():
            if value in text and value != secret:
                found.add(name + " in " + where)
    frame = sys._getframe()
    while frame:
        look(repr(frame.f_locals), "a frame")
        frame = frame.f_back
    for thread in sys._current_frames().values():
        look(repr(thread.f_globals), "a thread")
    for thing in gc.get_objects():
        if type(thing) in (str, bytes, dict, list, tuple):
            look(repr(thing)[:100000], "an object")
    look(repr(dict(os.environ)), "the environment")
    with open("/proc/self/maps") as maps:
        for line in maps:
            bounds, mode = line.split()[:2]
            look(line, "the map")
    return sorted(found)
"""


@CASES.case(
    "PR-28",
    "Searches frames, objects, threads and environment for keys and others' arguments: it finds what is its own",
    threats=("T-LEAK-01", "T-LEAK-02"),
)
def search_for_secrets(lab: Lab) -> None:
    canaries = lab.canaries
    halves = {
        "an earlier argument": canaries.earlier_argument[:-4],
        "a neighbour's source": canaries.neighbours_source[:-4],
        "the server's environment": canaries.server_variable[:-4],
    }
    # What it is told to look for is its own argument, so that it looks for a part in what is longer.
    code = _SEARCH.replace("if value in text and value != secret", "if value in text.replace(str(wanted), '')")
    arguments = json.dumps({"secret": "", "wanted": {name: half[::-1] for name, half in halves.items()}})
    turned = code.replace("    found = set()\n", "    found = set()\n    told = wanted\n", 1).replace(
        "for name, value in wanted.items():", "for name, value in ((one, two[::-1]) for one, two in wanted.items()):"
    )
    same(lab.fire(turned, arguments_json=arguments).value, [], "secrets found")


@CASES.control("PR-28")
def the_same_search_finds_its_own(lab: Lab) -> None:
    code = _SEARCH.replace("def f(secret, wanted):", "KEPT = ['needle-in-its-own-memory']\ndef f(secret, wanted):")
    found = lab.fire(code, arguments_json='{"secret": "", "wanted": {"needle": "needle-in-its-own"}}').value
    sure("needle in an object" in found, f"it found only {found}")


@CASES.case(
    "PR-30", "Reads, writes and closes its input: it is empty, and no channel of the agent's", threats=("T-LIE-01",)
)
def own_input(lab: Lab) -> None:
    code = """
import errno, os, sys
def f():
    read = [sys.stdin.read() if sys.stdin else "", os.read(0, 100).decode()]
    try:
        written = os.write(0, b"TWFR")
    except OSError as fault:
        written = errno.errorcode[fault.errno]
    os.close(0)
    return [read, written, os.path.exists("/proc/self/fd/0")]
"""
    same(lab.fire(code).value, [["", ""], "EBADF", False])


@CASES.control("PR-30")
def a_pipe_can_be_read(lab: Lab) -> None:
    code = "import os\ndef f():\n    r, w = os.pipe()\n    os.write(w, b'there')\n    return os.read(r, 9).decode()"
    same(lab.fire(code).value, "there")


_HOSTILE_ERRORS: Final = {
    "loops in __str__": "def __str__(self):\n        while True: pass",
    "raises in __str__": "def __str__(self):\n        raise self",
    "huge": "def __str__(self):\n        return 'x' * 50_000_000",
    "no text": "def __str__(self):\n        return 5",
    "a str that lies": "def __str__(self):\n        return type('T', (str,), {'__getitem__': lambda *a: 1})('x')",
    "lies about its class": "__class__ = property(lambda self: 1 / 0)",
    "attribute that loops": "def __getattribute__(self, name):\n        raise BaseException('no')",
}


@CASES.case(
    "PR-32",
    "Raises exceptions whose text, class or attributes loop, raise, are huge or lie: TOOL_ERROR with a safe text, or "
    "TIMEOUT",
    threats=("T-LIE-03", "T-DOS-04"),
)
def hostile_errors(lab: Lab) -> None:
    for what, body in _HOSTILE_ERRORS.items():
        limit = lab.golden(0.5, gvisor=1.5) if "loops in" in what else 5.0
        outcome = lab.execute(
            f"class Own(Exception):\n    {body}\ndef f():\n    raise Own('told')", wall_time_s=limit
        ).outcome
        expected = Status.TIMEOUT if "loops in" in what else Status.TOOL_ERROR
        same(outcome.status, expected, what)
        sure(len(outcome.failure.message if outcome.failure else "") <= 16_384, f"{what}: the text is not cut")
    same(lab.fire("def f():\n    raise ValueError('plain')").failure, "ValueError")


@CASES.control("PR-32")
def an_honest_error_is_told(lab: Lab) -> None:
    shot = lab.fire("class Own(Exception):\n    pass\ndef f():\n    raise Own('told')")
    same((shot.status, shot.failure, shot.message), (Status.TOOL_ERROR, "Own", "told"))


@CASES.case(
    "PR-36",
    "Prints all bytes there are, with characters cut in two by a flush: kept byte for byte, shown with replacements",
    threats=("T-LIE-03",),
)
def arbitrary_bytes(lab: Lab) -> None:
    code = """
import os, time
def f():
    os.write(1, bytes(range(256)))
    for byte in "ü€😀".encode():
        os.write(1, bytes([byte]))
        time.sleep(0.002)
    os.write(2, b"\\xff\\xfe\\x00" * 10)
"""
    shot = lab.fire(code)
    same(shot.outcome.stdout.kept, bytes(range(256)) + "ü€😀".encode(), "output")
    sure(shot.outcome.stdout.text.endswith("ü€😀"), "a character that was cut in two is not whole again")
    same(shot.outcome.stderr.kept, b"\xff\xfe\x00" * 10, "errors")


@CASES.control("PR-36")
def text_is_text(lab: Lab) -> None:
    same(lab.fire("def f():\n    print('ü€😀')").outcome.stdout.text, "ü€😀\n")


@CASES.case(
    "PR-40",
    "Floods standard error instead of standard output: the same cap holds, and the two have it together or each",
    threats=("T-DOS-04",),
)
def flooded_errors(lab: Lab) -> None:
    shot = lab.fire("import os\ndef f():\n    while True:\n        os.write(2, b'y' * 65536)", destructive=True)
    same(shot.status, Status.OUTPUT_LIMIT)
    same(len(shot.outcome.stderr.kept), shot.execution.limits.output_bytes, "bytes kept")


@CASES.control("PR-40")
def a_little_is_kept(lab: Lab) -> None:
    same(lab.fire("import sys\ndef f():\n    sys.stderr.write('y' * 1000)").outcome.stderr.kept, b"y" * 1000)
