"""Tools made from tools, whose parts are hostile: what they can do to their user, and that it ends with the call."""

from __future__ import annotations

import pytest

from toolwright.attacks.lab import Lab
from toolwright.domain.call import Operation
from toolwright.domain.outcome import Status
from toolwright.domain.source import (
    MAX_DEPTH,
    MAX_DIRECT,
    MAX_PARTS,
    MAX_PARTS_BYTES,
    SourceModule,
    ToolSource,
    all_parts,
)
from toolwright.sandbox.verdict import LOAD_TIME_LIMIT

pytestmark = [pytest.mark.security, pytest.mark.threat("T-LIE-06")]

HONEST = "from tools import part\ndef f():\n    return [part(), own(), len('abc')]\ndef own():\n    return 'own'\n"
GOOD = "def part():\n    return 'part'\n"


def part(code: str, *uses: SourceModule, name: str = "part") -> SourceModule:
    """Return a tool as a part; its function is called `part`."""
    return SourceModule(name, "sha256:" + "0" * 64, ToolSource(code, "part", uses))


TAMPERING = {
    "the user's function": """
import sys
def part():
    sys._getframe(1).f_globals['own'] = lambda: 'not its own'
    return 'part'
""",
    "the user's built-in names": """
import sys
def part():
    sys._getframe(1).f_globals['__builtins__']['len'] = lambda _: -1
    return 'part'
""",
    "the module by its name": """
import sys
def part():
    for name, module in list(sys.modules.items()):
        if name.startswith('tool_'):
            module.own = lambda: 'not its own'
    return 'part'
""",
    "the code of the function": """
import sys
def part():
    own = sys._getframe(1).f_globals['own']
    own.__code__ = (lambda: 'not its own').__code__
    return 'part'
""",
}


@pytest.mark.case("XL-11")
@pytest.mark.parametrize("what", TAMPERING)
def test_a_part_can_change_its_user_and_nothing_beyond_the_call(lab: Lab, what: str) -> None:
    """XL-11: they are one program, so the answer is a lie; the next call of the tool, in that container, is not."""
    twin = lab.fire(HONEST, modules=(part(GOOD),))
    shot = lab.fire(HONEST, modules=(part(TAMPERING[what]),))
    after = lab.execute(HONEST, modules=(part(GOOD),))

    assert twin.value == ["part", "own", 3]
    assert shot.value in (["part", "not its own", 3], ["part", "own", -1]), "the probe did not do what it is for"
    assert shot.survived
    assert (after.outcome.result_json, after.provenance.container_id) == (
        '["part","own",3]',
        shot.execution.provenance.container_id,
    )


@pytest.mark.case("XL-01", "XL-08", "CO-10")
@pytest.mark.parametrize("when", ["loaded", "called"])
def test_what_a_part_leaves_is_cleared_away(lab: Lab, when: str) -> None:
    """XL-01, XL-08, CO-10: files, threads and processes of a part go the way of the tool's own."""
    leaves = (
        "import os, threading, time\n"
        "def leave():\n"
        "    open('left', 'w').write('here')\n"
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        time.sleep(60)\n"
        "        os._exit(0)\n"
    )
    at = {"loaded": "leave()\ndef part():\n    return 1\n", "called": "def part():\n    leave()\n    return 1\n"}
    user = "import os\nfrom tools import part\ndef f():\n    return [part(), os.listdir()]\n"
    shot = lab.fire(user, modules=(part(leaves + at[when]),))
    after = lab.execute("import os\ndef f():\n    return os.listdir()\n")

    assert shot.value == [1, ["left"]], "the probe did not do what it is for"
    assert shot.survived
    assert after.outcome.result_json == "[]"


@pytest.mark.case("CO-09")
@pytest.mark.slow
def test_a_part_that_never_loads_is_ended(lab: Lab) -> None:
    """CO-09: by the limit on loading where the tool imports it at once, by that of the call where it does so later."""
    endless = part("while True:\n    pass\n")
    first = lab.fire("from tools import part\ndef f():\n    return 1\n", modules=(endless,))
    later = lab.fire("def f():\n    from tools import part\n", modules=(endless,), wall_time_s=1.0)
    never = lab.fire("def f():\n    return 1\n", modules=(endless,), wall_time_s=1.0)

    assert (first.status, first.failure) == (Status.TIMEOUT, LOAD_TIME_LIMIT)
    assert later.status is Status.TIMEOUT
    assert later.failure != LOAD_TIME_LIMIT
    assert never.value == 1


@pytest.mark.case("CO-18", "CO-19")
def test_a_part_stands_in_for_no_module(lab: Lab) -> None:
    """CO-18, CO-19: whatever it is called, `import` finds what it always found; `from tools import` alone finds it."""
    named = tuple(part(GOOD, name=name) for name in ("random", "linecache", "zipimport", "toolwright_agent"))
    user = (
        "import random, linecache, zipimport\n"
        "from tools import random as mine, toolwright_agent\n"
        "def f():\n"
        "    return [hasattr(random, 'Random'), hasattr(linecache, 'getline'), zipimport.__name__, mine(),"
        " toolwright_agent()]\n"
    )
    inner = part("import random\ndef part():\n    return hasattr(random, 'Random')\n", *named, name="inner")

    assert lab.fire(user, modules=named).value == [True, True, "zipimport", "part", "part"]
    assert lab.fire("from tools import inner\ndef f():\n    return inner()\n", modules=(inner,)).value is True
    missing = lab.fire("import tools.random\ndef f():\n    return 1\n", modules=named)
    assert (missing.status, missing.failure) == (Status.LOAD_ERROR, "ModuleNotFoundError")
    without = lab.fire("import tools\ndef f():\n    return 1\n")
    assert (without.status, without.failure) == (Status.LOAD_ERROR, "ModuleNotFoundError")


@pytest.mark.case("CO-18")
@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("def other():\n    return 1\n", "NotLoaded"),
        ("part = 7\n", "NotLoaded"),
        ("class part:\n    pass\n", "NotLoaded"),
        ("def part(:\n", "SyntaxError"),
        ("raise SystemExit(0)\n", "SystemExit"),
        ("def p\u0430rt():\n    return 1\n", "NotLoaded"),
    ],
    ids=["another name", "no function", "a class", "no Python", "ends", "a name that looks alike"],
)
def test_a_part_that_is_no_function_is_a_load_error(lab: Lab, code: str, failure: str) -> None:
    """CO-18: a part that lies about what it is fails the call that needs it, as a tool that lies fails its own."""
    shot = lab.fire(HONEST, modules=(part(code),))

    assert (shot.status, shot.failure) == (Status.LOAD_ERROR, failure)


@pytest.mark.case("CO-33")
def test_what_a_part_raises_is_told_with_its_place(lab: Lab) -> None:
    """CO-33: the traceback says in which tool, and a part can write nothing of its own there."""
    shot = lab.fire(HONEST, modules=(part("def part():\n    raise ValueError('no')\n"),))
    assert shot.outcome.failure
    assert shot.outcome.failure.traceback.splitlines() == [
        "  line 3, in f: return [part(), own(), len('abc')]",
        "  tools.part, line 2, in part: raise ValueError('no')",
        "ValueError: no",
    ]
    described = lab.execute(
        'from tools import part\ndef f(x: int) -> int:\n    """Do it."""\n    return part()\n',
        modules=(part(GOOD),),
        operation=Operation.DESCRIBE,
    )
    assert described.outcome.status is Status.SUCCESS


@pytest.mark.case("CO-15")
def test_as_much_as_a_tool_may_be_made_from(lab: Lab) -> None:
    """CO-15: sixteen tools, four levels, all bytes, with all arguments that a call may have: it runs; each counts."""
    size = MAX_PARTS_BYTES // MAX_PARTS - 200
    filler = "".join("#" + "\u00fc" * 499 + "\n" for _ in range(size // 1_000))
    chain = part(f"def part():\n    return 1\n{filler}", name="deep0")
    for level in range(1, MAX_DEPTH):
        below = f"deep{level - 1}"
        chain = part(
            f"from tools import {below}\ndef part():\n    return 1 + {below}()\n{filler}", chain, name=f"deep{level}"
        )
    others = [
        part(f"def part():\n    return 1\n{filler}", name=f"leaf{number}")
        for number in range(MAX_PARTS - MAX_DEPTH - 1)
    ]
    inner, outer = tuple(others[:MAX_DIRECT]), tuple(others[MAX_DIRECT:])
    wide = part(f"{_imports(inner)}def part():\n    return 1 + {_sum(inner)}\n", *inner, name="wide")
    modules = (chain, wide, *outer)
    assert len(all_parts(modules)) == MAX_PARTS
    user = f"{_imports(modules)}def f(x):\n    return [{_sum(modules)}, len(x)]\n"
    shot = lab.fire(user, modules=modules, arguments_json='{"x":"' + "a" * 1_000_000 + '"}')

    assert shot.value == [MAX_PARTS, 1_000_000]
    assert shot.survived


def _imports(parts: tuple[SourceModule, ...]) -> str:
    return f"from tools import {', '.join(one.name for one in parts)}\n"


def _sum(parts: tuple[SourceModule, ...]) -> str:
    return " + ".join(f"{one.name}()" for one in parts)
