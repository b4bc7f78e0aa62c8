"""Tools made from tools, in the agent: honest sources only, since this process is no sandbox."""

from __future__ import annotations

import json
import linecache
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from toolwright.domain.call import ToolCall
from toolwright.domain.source import SourceModule, ToolSource
from toolwright.sandbox.payload import call_payload
from toolwright_agent import parts, program
from toolwright_agent.spelling import NotLoaded

pytestmark = pytest.mark.unit

Load = Callable[[ToolSource], Any]
"""Carry a source over as a call does, and load its function."""


@pytest.fixture
def load() -> Iterator[Load]:
    """Load as the process of a call does; what it leaves in this process is taken back."""
    modules, lines, titles = set(sys.modules), set(linecache.cache), set(parts.TITLES)

    def loaded(source: ToolSource) -> Any:
        header, code, arguments, texts = carried(source)
        assert arguments == '{"x":1}'
        return program._load(code, header, texts)

    yield loaded
    for cache, before in ((sys.modules, modules), (linecache.cache, lines), (parts.TITLES, titles)):
        for name in set(cache) - before:
            cache.pop(name)


def carried(source: ToolSource) -> tuple[dict[str, Any], str, str, memoryview]:
    """Send a call through a pipe, and read it with the agent's own hand."""
    reader, writer = os.pipe()
    os.write(writer, b"".join(call_payload(ToolCall(source, '{"x":1}'))))
    os.close(writer)
    return program._read_payload(reader)


def part(name: str, code: str, *uses: SourceModule, function: str = "") -> SourceModule:
    """Return a tool as a part of another one."""
    return SourceModule(name, "sha256:" + name, ToolSource(code, function or name, uses))


HALF = part("half", "def half(x):\n    return x // 2\n")
QUARTER = part("quarter", "from tools import half\ndef quarter(x):\n    return half(half(x))\n", HALF)


def test_a_tool_calls_the_tools_that_it_is_made_from(load: Load) -> None:
    """By name, by the package, and inside a function; each has its own parts."""
    source = ToolSource(
        "from tools import half, quarter as q\nimport tools\n"
        "def f(x):\n    from tools import quarter\n    return [half(x), q(x), tools.half(x), quarter is q]\n",
        "f",
        (HALF, QUARTER),
    )

    assert load(source)(40) == [20, 10, 20, True]


def test_a_module_sees_what_was_declared_for_it_and_nothing_else(load: Load) -> None:
    """The parts of a part are not the tool's, nor the tool's the part's; the error says what there is."""
    nosy = part("nosy", "def nosy():\n    from tools import half\n")
    own = load(ToolSource("from tools import nosy\ndef f():\n    return nosy()\n", "f", (nosy, HALF)))
    with pytest.raises(ModuleNotFoundError, match="No module named 'tools'"):
        own()
    with pytest.raises(ImportError, match="no tool 'half' was declared for this code; declared: quarter"):
        load(ToolSource("from tools import half\ndef f(): pass\n", "f", (QUARTER,)))


def test_without_parts_there_is_no_package(load: Load) -> None:
    """`tools` is no module, and the built-in import is the one that it always was."""
    function = load(ToolSource("def f():\n    import tools\n", "f"))

    assert function.__globals__["__builtins__"]["__import__"] is __import__
    with pytest.raises(ModuleNotFoundError):
        function()


def test_two_versions_of_one_tool_live_side_by_side(load: Load) -> None:
    """The tool's own, and another one that a part of it was made from."""
    newer = part("half", "def half(x):\n    return x / 2\n")
    source = ToolSource(
        "from tools import half, quarter\ndef f(x):\n    return [half(x), quarter(x)]\n", "f", (newer, QUARTER)
    )

    assert load(source)(5) == [2.5, 1]


def test_what_is_not_imported_is_never_read(load: Load) -> None:
    """A part that could not even be compiled costs nothing until somebody wants it."""
    broken = part("broken", "def broken(:\n")
    function = load(ToolSource("def f():\n    from tools import broken\n", "f", (broken,)))

    with pytest.raises(SyntaxError):
        function()


def test_a_part_is_run_once(load: Load) -> None:
    """However many modules import it: they share its state, as modules do."""
    counting = part("counting", "seen = []\ndef counting():\n    seen.append(1)\n    return len(seen)\n")
    other = part("other", "from tools import counting\ndef other():\n    return counting()\n", counting)
    source = ToolSource(
        "from tools import counting, other\ndef f():\n    return [counting(), other()]\n", "f", (counting, other)
    )

    assert load(source)() == [1, 2]


def test_the_function_is_the_declared_one(load: Load) -> None:
    """The name to import is the tool's; the function's own may be another, and a name that is none is refused."""
    renamed = part("renamed", "def really(x):\n    return x\n", function="really")
    lying = part("lying", "lying = 7\n")
    assert load(ToolSource("from tools import renamed\ndef f(x):\n    return renamed(x)\n", "f", (renamed,)))(3) == 3
    with pytest.raises(NotLoaded, match=r"tools\.lying has no function named 'lying'"):
        load(ToolSource("from tools import lying\ndef f(x): pass\n", "f", (lying,)))


def test_the_traceback_names_the_module(load: Load) -> None:
    """Frames of the tool as ever, those of a part under its name, each with its line."""
    failing = part("failing", "def failing(x):\n    return 1 // x\n")
    function = load(ToolSource("from tools import failing\n\ndef f(x):\n    return failing(x)\n", "f", (failing,)))
    with pytest.raises(ZeroDivisionError) as raised:
        function(0)

    assert json.loads(program._explain(raised.value))["traceback"].splitlines() == [
        "  line 4, in f: return failing(x)",
        "  tools.failing, line 2, in failing: return 1 // x",
        "ZeroDivisionError: integer division or modulo by zero",
    ]


def test_names_outside_ascii_are_refused_in_parts_too(load: Load) -> None:
    """The same rule for every text that runs."""
    odd = part("odd", "def odd(х):\n    return 1\n")  # noqa: RUF001 - the Cyrillic letter is the point
    with pytest.raises(NotLoaded, match="U\\+0445"):
        load(ToolSource("from tools import odd\ndef f(): pass\n", "f", (odd,)))


def test_a_payload_that_is_not_whole_is_refused() -> None:
    """The texts of the parts are counted like the rest."""
    reader, writer = os.pipe()
    os.write(writer, b"".join(call_payload(ToolCall(ToolSource("def f(): pass\n", "f", (HALF,)))))[:-1])
    os.close(writer)

    with pytest.raises(EOFError, match="not whole"):
        program._read_payload(reader)
