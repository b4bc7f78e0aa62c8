"""Twins that come close to a limit, and stay within it."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.twins.twin import Twin
from toolwright.domain.limits import MIB


def _nested(depth: int) -> object:
    """Return lists in lists, `depth` of them."""
    value: object = []
    for _ in range(depth - 1):
        value = [value]
    return value


TWINS: Final = (
    Twin(
        "arguments of a mebibyte",
        "def f(text):\n    return [len(text), text.count('é'), text[-1]]\n",
        [MIB - 100, 10, "z"],
        {"text": "é" * 10 + "a" * (MIB - 111) + "z"},
    ),
    Twin(
        "a result of a mebibyte",
        "def f(size):\n    return 'r' * size\n",
        "r" * MIB,
        {"size": MIB},
    ),
    Twin(
        "a result of many items",
        "def f(count):\n    return [[n, str(n)] for n in range(count)]\n",
        [[n, str(n)] for n in range(30_000)],
        {"count": 30_000},
    ),
    Twin(
        "deep recursion",
        """
import sys
def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)
def hanoi(n, a, b, c):
    return 0 if n == 0 else hanoi(n - 1, a, c, b) + 1 + hanoi(n - 1, c, b, a)
def f():
    first = depth(900)
    sys.setrecursionlimit(20_000)
    return [first, depth(15_000), hanoi(14, "a", "b", "c")]
""",
        [900, 15_000, 2**14 - 1],
    ),
    Twin(
        "deeply nested JSON",
        """
import json
def f(value, deeper):
    depth, at = 1, value
    while at:
        depth, at = depth + 1, at[0]
    text = "[" * deeper + "]" * deeper
    return [depth, len(json.dumps(json.loads(text))), json.loads("[" * 60 + "]" * 60)]
""",
        [40, 1_000, _nested(60)],
        {"value": _nested(40), "deeper": 500},
    ),
    Twin(
        "integers of 400 digits, floats at their ends",
        """
import sys
def f(number, small):
    return [number + 1, -number, small, sys.float_info.max, sys.float_info.min, 5e-324, 0.1 + 0.2]
""",
        [10**399 + 1, -(10**399), 1e-7, 1.7976931348623157e308, 2.2250738585072014e-308, 5e-324, 0.30000000000000004],
        {"number": 10**399, "small": 1e-7},
    ),
    Twin(
        "odd but legal text",
        "def f(texts):\n    return [texts, [len(one) for one in texts]]\n",
        [["", "\x00\x1b[31m", "\u2028\ufeff", "👩‍👩‍👧", "\U0010ffff", "\\u0041</script>"], [0, 6, 2, 5, 1, 15]],
        {"texts": ["", "\x00\x1b[31m", "\u2028\ufeff", "👩‍👩‍👧", "\U0010ffff", "\\u0041</script>"]},
    ),
    Twin(
        "some output",
        """
import sys
def f():
    print("to stdout: ☃", flush=True)
    print("to stderr", file=sys.stderr)
    sys.stdout.write("no end of line")
    return sys.stdout.isatty()
""",
        expected=False,
        printed=29,
    ),
    Twin(
        "more output than is kept",
        "def f(lines):\n    for n in range(lines):\n        print(f'{n:063}')\n    return lines\n",
        20_000,
        {"lines": 20_000},
        printed=20_000 * 64,
    ),
    Twin(
        "a hundred mebibytes of memory",
        """
def f():
    blocks = [bytearray(b"x") * (1 << 20) for _ in range(100)]
    return sum(block[-1] == ord("x") for block in blocks)
""",
        100,
    ),
    Twin(
        "as many threads as there may be, nearly",
        """
import threading
def f(count):
    go = threading.Event()
    threads = [threading.Thread(target=go.wait) for _ in range(count)]
    for thread in threads:
        thread.start()
    alive = threading.active_count()
    go.set()
    for thread in threads:
        thread.join()
    return [alive, threading.active_count()]
""",
        [29, 1],
        {"count": 28},
    ),
    Twin(
        "a file of sixty mebibytes and a thousand small ones",
        """
import os
def f():
    os.mkdir("many")
    for n in range(1_000):
        with open(f"many/{n}", "w") as file:
            file.write("x")
    with open("big", "wb") as file:
        for _ in range(55):
            file.write(bytes(1 << 20))
    return [len(os.listdir("many")), os.path.getsize("big") >> 20]
""",
        [1_000, 55],
    ),
)
