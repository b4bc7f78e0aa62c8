"""Twins that use the language and look at it."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.twins.twin import Twin

TWINS: Final = (
    Twin(
        "source text as a tree, as tokens, as instructions",
        """
import ast, dis, io, tokenize
def f(code):
    tree = ast.parse(code)
    names = sorted({one.id for one in ast.walk(tree) if isinstance(one, ast.Name)})
    tokens = [one.string for one in tokenize.generate_tokens(io.StringIO(code).readline) if one.string.strip()]
    space = {}
    exec(compile(tree, "<made>", "exec"), space)
    operations = {one.opname for one in dis.get_instructions(space["area"])}
    return [names, tokens[:4], space["area"](3), "RETURN_VALUE" in operations, ast.unparse(tree),
            ast.literal_eval("[1, (2,)]")]
""",
        [["r"], ["def", "area", "(", "r"], 27, True, "def area(r):\n    return 3 * r ** 2", [1, [2]]],
        {"code": "def area(r):\n    return 3 * r ** 2\n"},
    ),
    Twin(
        "inspection of its own functions",
        """
import inspect, linecache
def helper(a, /, b: int = 2, *rest, c, **more) -> str:
    "Help."
def f():
    signature = inspect.signature(helper)
    return [str(signature), [str(one.kind) for one in signature.parameters.values()][:2], inspect.getdoc(helper),
            inspect.getsource(helper).splitlines()[0], signature.bind(1, c=3).arguments["a"],
            inspect.currentframe().f_code.co_name]
""",
        [
            "(a, /, b: int = 2, *rest, c, **more) -> str",
            ["POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD"],
            "Help.",
            "def helper(a, /, b: int = 2, *rest, c, **more) -> str:",
            1,
            "f",
        ],
    ),
    Twin(
        "data classes, enumerations, typing",
        """
import dataclasses, enum, typing
class Colour(enum.Enum):
    RED = enum.auto()
    BLUE = enum.auto()
class Mode(enum.IntFlag):
    R, W, X = 4, 2, 1
@dataclasses.dataclass(order=True, frozen=True)
class Point:
    x: int
    y: int = 0
    tags: list[str] = dataclasses.field(default_factory=list, compare=False)
class Pair(typing.NamedTuple):
    left: int
    right: str
T = typing.TypeVar("T")
class Box(typing.Generic[T]):
    pass
def f():
    match Point(1, 2):
        case Point(x=1, y=y):
            matched = y
    hints = typing.get_type_hints(Point)
    return [dataclasses.asdict(Point(1)), Point(1) < Point(1, 1), [one.name for one in Colour], int(Mode.R | Mode.X),
            Pair(1, "a")._asdict(), matched, typing.get_origin(hints["tags"]).__name__, Box[int].__args__[0].__name__]
""",
        [
            {"x": 1, "y": 0, "tags": []},
            True,
            ["RED", "BLUE"],
            5,
            {"left": 1, "right": "a"},
            2,
            "list",
            "int",
        ],
    ),
    Twin(
        "pickles and copies of its own objects",
        """
import copy, pickle
class Node:
    def __init__(self, value):
        self.value, self.next = value, None
def f():
    ring = Node(1)
    ring.next = Node(2)
    ring.next.next = ring
    again = pickle.loads(pickle.dumps(ring, protocol=5))
    deep, shallow = copy.deepcopy(ring), copy.copy(ring)
    return [again.next.next is again, deep.next is not ring.next, shallow.next is ring.next,
            [len(pickle.dumps([1, "a"], protocol)) > 0 for protocol in range(6)]]
""",
        [True, True, True, [True] * 6],
    ),
    Twin(
        "generators, context managers, context variables",
        """
import contextlib, contextvars
level = contextvars.ContextVar("level", default=0)
def averages():
    total, count, value = 0, 0, None
    while True:
        value = yield total / count if count else None
        total, count = total + value, count + 1
@contextlib.contextmanager
def deeper(trail):
    token = level.set(level.get() + 1)
    trail.append(level.get())
    try:
        yield
    finally:
        level.reset(token)
def f():
    running, trail = averages(), []
    next(running)
    with deeper(trail), deeper(trail), contextlib.suppress(KeyError):
        {}["no"]
    inside = contextvars.copy_context()
    inside.run(level.set, 9)
    return [[running.send(value) for value in (1, 2, 6)], trail, level.get(), inside[level],
            list((lambda: (yield from range(3)))())]
""",
        [[1.0, 1.5, 3.0], [1, 2], 0, 9, [0, 1, 2]],
    ),
    Twin(
        "exceptions, groups and notes",
        """
import logging, traceback, warnings
def f():
    try:
        try:
            int("x")
        except ValueError as fault:
            fault.add_note("while reading")
            raise KeyError("k") from fault
    except KeyError as fault:
        text = "".join(traceback.format_exception(fault))
    caught = []
    try:
        raise ExceptionGroup("many", [OSError(2, "no"), TypeError("t"), ExceptionGroup("in", [OSError(3, "x")])])
    except* OSError as group:
        caught.append(str(group.exceptions[0]))
    except* TypeError as group:
        caught.append(len(group.exceptions))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warnings.warn("careful", UserWarning)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.info("to stderr")
    return ["while reading" in text, "direct cause" in text, caught, [str(one.message) for one in seen]]
""",
        [True, True, ["[Errno 2] no", 1], ["careful"]],
    ),
    Twin(
        "weak references and the collector",
        """
import gc, sys, tracemalloc, weakref
class Thing:
    pass
def f():
    gone = []
    thing = Thing()
    thing.me = thing
    weakref.finalize(thing, gone.append, "collected")
    cache = weakref.WeakValueDictionary(thing=thing)
    del thing
    gc.collect()
    tracemalloc.start()
    kept = [bytes(1_000) for _ in range(1_000)]
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return [gone, len(cache), size >= 1_000_000, peak >= size, gc.isenabled(), sys.getsizeof(kept) > 8_000]
""",
        [["collected"], 0, True, True, True, True],
    ),
    Twin(
        "functions of the C library",
        """
import ctypes
def f():
    libc, libm = ctypes.CDLL(None), ctypes.CDLL("libm.so.6")
    libm.cos.restype, libm.cos.argtypes = ctypes.c_double, [ctypes.c_double]
    numbers = (ctypes.c_int * 5)(5, 3, 4, 1, 2)
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    libc.qsort(numbers, 5, ctypes.sizeof(ctypes.c_int), kind(lambda a, b: a[0] - b[0]))
    return [libc.strlen(b"honest"), libm.cos(0.0), list(numbers),
            ctypes.string_at(ctypes.create_string_buffer(b"abc"))[:2].decode()]
""",
        [6, 1.0, [1, 2, 3, 4, 5], "ab"],
    ),
    Twin(
        "modules imported late",
        """
import importlib, importlib.util, sys, types
NAMES = ("cmd code codecs colorsys concurrent.futures dbm.sqlite3 doctest filecmp fileinput fnmatch getopt gettext"
         " graphlib http.cookies imaplib json.tool logging.config mailbox netrc optparse pdb pkgutil plistlib poplib"
         " profile pstats queue reprlib rlcompleter sched selectors shelve smtplib socketserver sqlite3 ssl stringprep"
         " symtable tarfile test timeit trace unittest urllib.request wave webbrowser wsgiref.util xmlrpc.client zipapp"
         " zipfile zipimport").split()
def f():
    missing = []
    for name in NAMES:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    made = types.ModuleType("made")
    exec("answer = 42", made.__dict__)
    return [missing, made.answer, sys.version_info[:2] >= (3, 11), importlib.util.find_spec("nothing_of_the_kind")]
""",
        [["test"], 42, True, None],
    ),
)
