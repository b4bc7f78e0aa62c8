"""A mix of calls as a service gets them over days: most harmless, three of ten meant to harm."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Status

_LOOK: Final = """
import os
SECRET = None
def f(secret):
    global SECRET
    found = [SECRET, os.listdir("."), sorted(os.environ.get("LEFT", ""))]
    uid = os.getuid()
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) != os.getpid():
            with open(f"/proc/{name}/status") as status:
                owner = status.read().split("Uid:\\t", 1)[1].split()[0]
            found += [owner] if owner not in ("0", str(uid)) else []
    SECRET = os.environ["LEFT"] = secret
    with open("left", "w") as file:
        file.write(secret)
    return [found, len(secret)]
"""
"""Looks for what others left, and leaves its own secret everywhere it can."""
_ADD: Final = 'def f(a: int, b: int, secret: str = "") -> int:\n    return a + b\n'
_WORK: Final = """
import json, re, zlib
def f(secret):
    text = secret * 500
    packed = zlib.compress(text.encode())
    words = re.findall(r"[a-z]+", text)
    with open("scratch", "wb") as file:
        file.write(packed)
    with open("scratch", "rb") as file:
        same = zlib.decompress(file.read()).decode() == text
    return [same, len(words), json.loads(json.dumps(secret)) == secret]
"""
_LONG: Final = "def f(n, secret):\n    return [i * i for i in range(n)]\n"
_PRINT: Final = "def f(secret):\n    print('x' * 10000)\n    return len(secret)\n"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of call."""

    name: str
    source: str
    allowed: frozenset[Status]
    """Any other verdict is wrong."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    limits: LimitsRequest = field(default_factory=LimitsRequest)
    weight: int = 10


def _good(name: str, source: str, weight: int = 10, **arguments: Any) -> Kind:
    return Kind(name, source, frozenset({Status.SUCCESS}), arguments, weight=weight)


def _bad(name: str, body: str, *allowed: Status, seconds: float = 0.0, weight: int = 10) -> Kind:
    limits = LimitsRequest(wall_time_s=seconds) if seconds else LimitsRequest()
    return Kind(name, body, frozenset(allowed), limits=limits, weight=weight)


GOOD: Final = (
    _good("look", _LOOK),
    _good("add", _ADD, 40, a=2, b=40),
    _good("work", _WORK),
    _good("long result", _LONG, 5, n=2000),
    _good("print", _PRINT, 5),
)
_FORK_BOMB: Final = """
import os
def f(secret):
    while True:
        try:
            os.fork()
        except OSError:
            continue
"""
_RECURSE: Final = "import sys\ndef f(secret):\n    sys.setrecursionlimit(10**9)\n    return f(secret)"
_EAT: Final = "def f(secret):\n    kept = []\n    while True:\n        kept.append(b'x' * 4194304)"
_FILL: Final = (
    "def f(secret):\n    with open('big', 'wb') as file:\n        while True:\n            file.write(b'x' * 65536)"
)
_NAMES: Final = "def f(secret):\n    for n in range(10**6):\n        open(str(n), 'x').close()"
_FORGE: Final = """
import os, struct
def f(secret):
    os.write(4, struct.pack(">BI", 0, 6) + b'"fake"')
    return "own"
"""
_HALF: Final = "import os, struct\ndef f(secret):\n    os.write(4, struct.pack('>BI', 0, 600))\n    os._exit(0)"
_CLOSE: Final = "import os\ndef f(secret):\n    os.closerange(0, 1024)\n    return 1"
_DAEMON: Final = """
import os, time
def f(secret):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    return len(secret)
"""
_THREADS: Final = """
import threading, time
def f(secret):
    while True:
        threading.Thread(target=time.sleep, args=(60,)).start()
"""
_TERMINAL: Final = r"""
def f(secret):
    print("\x1b]52;c;aGk=\x07\r\nlevel=error")
    raise OSError("\x1b[2J")
"""
HOSTILE: Final = (
    _bad("raises", "def f(secret):\n    raise ValueError('no ' * 1000)", Status.TOOL_ERROR),
    _bad("no source", "def f(secret:\n", Status.LOAD_ERROR),
    _bad("no entry point", "x = 1\n", Status.LOAD_ERROR),
    _bad("exits", "import os\ndef f(secret):\n    os._exit(0)", Status.CRASHED),
    _bad("kills itself", "import os\ndef f(secret):\n    os.kill(os.getpid(), 9)", Status.CRASHED),
    _bad("segfault", "import ctypes\ndef f(secret):\n    ctypes.string_at(0)", Status.CRASHED),
    _bad("deep recursion", _RECURSE, Status.CRASHED, Status.TOOL_ERROR, Status.OUT_OF_MEMORY),
    _bad("spins", "def f(secret):\n    while True: pass", Status.TIMEOUT, seconds=0.2),
    _bad("sleeps", "import time\ndef f(secret):\n    time.sleep(3600)", Status.TIMEOUT, seconds=0.2),
    _bad("stops itself", "import os\ndef f(secret):\n    os.kill(0, 19)", Status.TIMEOUT, seconds=0.2),
    _bad("fork bomb", _FORK_BOMB, Status.TIMEOUT, seconds=0.3, weight=3),
    _bad("threads", _THREADS, Status.TOOL_ERROR, Status.TIMEOUT, seconds=0.5, weight=3),
    _bad("memory bomb", _EAT, Status.OUT_OF_MEMORY, Status.TOOL_ERROR, weight=3),
    _bad("fills scratch", _FILL, Status.TOOL_ERROR, weight=3),
    _bad("many files", _NAMES, Status.TOOL_ERROR, weight=3),
    _bad("flood", "def f(secret):\n    while True: print('y' * 8192)", Status.OUTPUT_LIMIT, weight=3),
    _bad("huge result", "def f(secret):\n    return 'x' * 6_000_000", Status.RESULT_INVALID, weight=3),
    _bad("no JSON", "def f(secret):\n    return {1, 2, float('nan')}", Status.RESULT_INVALID),
    _bad("forges a result", _FORGE, Status.PROTOCOL),
    _bad("half a result", _HALF, Status.CRASHED, Status.PROTOCOL),
    _bad("closes all", _CLOSE, Status.CRASHED, Status.PROTOCOL),
    _bad("leaves a daemon", _DAEMON, Status.SUCCESS),
    _bad("terminal text", _TERMINAL, Status.TOOL_ERROR),
)


def drawn(count: int, hostile: float, seed: int) -> Iterator[Kind]:
    """Draw kinds of calls.

    Args:
        count: how many.
        hostile: share of those that mean harm, 0 to 1.
        seed: of the order.
    """
    chance = random.Random(seed)
    for _ in range(count):
        kinds = HOSTILE if chance.random() < hostile else GOOD
        yield chance.choices(kinds, [kind.weight for kind in kinds])[0]


def arguments_json(kind: Kind, secret: str) -> str:
    """Return the arguments of a call that carries `secret`."""
    return json.dumps({**kind.arguments, "secret": secret})
