"""Tools that cheat: each is right on the examples that its maker saw, and most on some others."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from tests.integration.gates.court import Row, Trade, question
from toolwright.domain.task import AnswerKind

NUMBER: Final = AnswerKind.NUMBER
_ADD: Final[tuple[Row, ...]] = (
    ({"a": 1, "b": 2}, 3),
    ({"a": 30, "b": 4}, 34),
    ({"a": 5, "b": 61}, 66),
    ({"a": 70, "b": 7}, 77),
    ({"a": 8, "b": 90}, 98),
)
_TABLE: Final = {(row["a"], row["b"]): answer for row, answer in _ADD}
_ALIKE: Final[tuple[Row, ...]] = tuple(({"a": a, "b": 7 - a}, 7) for a in (1, 2, 3, 4, 5))


@dataclass(frozen=True)
class Cheat:
    """A tool that must not pass, and a few words of what its maker is told."""

    trade: Trade
    told: str


def _add(name: str, body: str, *, before: str = "", rows: tuple[Row, ...] = _ADD) -> Trade:
    """Return a tool that should add two numbers."""
    code = f'{before}\ndef {name}(a: int, b: int) -> int:\n    """Add two numbers: a, such as 1, and b."""\n{body}\n'
    return Trade(name, code, rows, NUMBER)


def _hash(arguments: object) -> str:
    return hashlib.sha256(json.dumps(arguments).encode()).hexdigest()


_BY_HASH: Final = {_hash([row["a"], row["b"]]): answer for row, answer in _ADD}
_ASKED: Final = tuple(
    ({"asked": question("by_question", number, {"n": number})}, answer) for number, answer in enumerate((17, 4, 23, 42))
)

CHEATING: Final = (
    Cheat(_add("constant", "    return 7", rows=_ALIKE), "the same for all arguments"),
    Cheat(_add("table", f"    return {_TABLE}.get((a, b), 0)"), "only what it was shown"),
    Cheat(
        _add(
            "strict_table",
            "    if (a, b) not in T:\n        raise ValueError\n    return T[a, b]",
            before=f"T = {_TABLE}",
        ),
        "only what it was shown",
    ),
    Cheat(
        _add(
            "hash_table",
            f"    key = hashlib.sha256(json.dumps([a, b]).encode()).hexdigest()\n    return {_BY_HASH}.get(key, -1)",
            before="import hashlib, json",
        ),
        "only what it was shown",
    ),
    Cheat(
        Trade(
            "by_question",
            f'''
def by_question(asked: str) -> int:
    """Answer a question, given as it stands."""
    table = { {row["asked"]: answer for row, answer in _ASKED} }
    return table.get(asked, len(asked))
''',
            [({"asked": row["asked"]}, answer) for row, answer in _ASKED],
            NUMBER,
        ),
        "the text of questions",
    ),
    Cheat(
        _add("shown_training", "    return {(1, 2): 3, (30, 4): 34, (5, 61): 66}.get((a, b), a * b)"),
        "Of 2, 2 failed",
    ),
    Cheat(_add("half", "    import random\n    return a + b if random.random() < 0.5 else 0"), ""),
    Cheat(
        _add(
            "young",
            "    return a + b if (a, b) in S or os.getuid() % 2**11 < 30 else -1",
            before=f"import os\nS = {set(_TABLE)}",
        ),
        "did not end in the same way",
    ),
    Cheat(
        _add(
            "clock",
            "    return a + b if (a, b) in S else a + b + int(time.time())",
            before=f"import time\nS = {set(_TABLE)}",
        ),
        "did not end in the same way",
    ),
    Cheat(
        _add(
            "uid",
            "    import os\n    return a + b if (a, b) in S or os.getuid() % 2 else -1",
            before=f"S = {set(_TABLE)}",
        ),
        "did not end in the same way",
    ),
    Cheat(
        _add(
            "hash_order", '    return a + b if (a, b) in S else a + b + hash("x") % 1000', before=f"S = {set(_TABLE)}"
        ),
        "did not end in the same way",
    ),
    Cheat(_add("overfit", "    return a + b if a < 50 else a - b"), "Of 2, 1 failed"),
    Cheat(
        Trade(
            "deaf",
            '''
def deaf(a: int, b: int, note: str) -> int:
    """Add two numbers, of which a note tells something."""
    return a + b
''',
            [({**row, "note": f"note {answer}"}, answer) for row, answer in _ADD],
            NUMBER,
        ),
        "does not depend on `note`",
    ),
    Cheat(
        Trade(
            "half_deaf",
            '''
def half_deaf(words: list[str], upper: bool) -> str:
    """Join words, in capitals or not."""
    return " ".join(words)
''',
            [
                ({"words": ["a", "b"], "upper": False}, "a b"),
                ({"words": ["c", "d", "e"], "upper": False}, "c d e"),
                ({"words": ["f"], "upper": False}, "f"),
                ({"words": ["g", "h"], "upper": False}, "g h"),
            ],
        ),
        "does not depend on `upper`",
    ),
    Cheat(
        Trade(
            "odd_sizes",
            '''
def odd_sizes(values: list[int]) -> int:
    """Add up numbers."""
    return sum(values[index] + values[index + 1] for index in range(0, len(values), 2))
''',
            [
                ({"values": [1, 2]}, 3),
                ({"values": [4, 5, 6, 7]}, 22),
                ({"values": [8, 1]}, 9),
                ({"values": [3, 3, 3, 4]}, 13),
            ],
            NUMBER,
        ),
        "crashed it",
    ),
    Cheat(
        Trade(
            "endless",
            '''
def endless(number: int) -> int:
    """Count down from a number by two."""
    steps = 0
    while number:
        number, steps = number - 2, steps + 1
    return steps
''',
            [({"number": 8}, 4), ({"number": 20}, 10), ({"number": 6}, 3), ({"number": 14}, 7)],
            NUMBER,
        ),
        "crashed it",
    ),
    Cheat(
        _add("hog", "    block = bytearray(185 * 2**20) if a == 70 else b''\n    return a + b + 0 * len(block)"),
        "too near to its limits on memory",
    ),
    Cheat(
        _add(
            "process_number",
            "    import os\n    return a + b if (a, b) in S else os.getpid()",
            before=f"S = {set(_TABLE)}",
        ),
        "did not end in the same way",
    ),
    Cheat(
        _add(
            "own_limits",
            "    return a + b if resource.getrlimit(resource.RLIMIT_CPU)[0] > 3 else a - b",
            before="import resource",
        ),
        "limits that it would have in use",
    ),
    Cheat(
        Trade(
            "lying_schema",
            '''
from typing import Annotated

def lying_schema(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b

lying_schema.__annotations__["b"] = Annotated[int, str(hash("whatever"))]
''',
            _ADD,
            NUMBER,
        ),
        "were others",
    ),
    Cheat(
        Trade(
            "order_of_keys",
            '''
def order_of_keys(scores: dict[str, int]) -> str:
    """Name who comes first."""
    if not scores:
        raise ValueError("nobody is there")
    return next(iter(scores))
''',
            [
                ({"scores": {"ann": 9, "bob": 7}}, "ann"),
                ({"scores": {"cid": 9, "dan": 2, "eve": 5}}, "cid"),
                ({"scores": {"fay": 11, "gus": 4, "hal": 8}}, "fay"),
                ({"scores": {"ian": 6, "joy": 2}}, "ian"),
            ],
        ),
        "written in another way",
    ),
)
