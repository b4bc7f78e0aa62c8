"""CO: source that attacks whoever reads it. Only a call's own process ever does."""

from __future__ import annotations

import os
import time
from typing import Final

import pytest

from tests.security.conftest import Sabotage
from toolwright.attacks.lab import Lab
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status

pytestmark = pytest.mark.security

_CHAIN: Final = "x = (0\n" + ("+0" * 4_000 + "\n") * 25 + ")\ndef f():\n    return 1\n"
_MINUSES: Final = "x = (\n" + ("-" * 9_000 + "\n") * 10 + "1)\ndef f():\n    return 1\n"
_NESTED: Final = "x = " + "[" * 90 + "1" + " for a in b]" * 90 + "\ndef f():\n    return 1\n"


@pytest.mark.parametrize("code", [_CHAIN, _MINUSES], ids=["100,000 sums", "90,000 signs"])
def test_co_02_source_too_complex(lab: Lab, code: str) -> None:
    """CO-02: source that is too deep for the parser or compiler is a LOAD_ERROR."""
    shot = lab.fire(code, destructive=True)
    twin = lab.fire(code.replace("+0" * 4_000, "+0" * 4).replace("-" * 9_000, "-" * 9))

    assert (shot.status, shot.survived) == (Status.LOAD_ERROR, True)
    assert twin.value == 1


def test_co_02_source_that_kills_the_compiler(lab: Lab) -> None:
    """CO-02: a kilobyte of source that makes CPython's compiler crash ends its own process alone, as a LOAD_ERROR.

    Where this source no longer crashes the interpreter of the image, the test needs another that does.
    """
    own = os.getpid()

    shot = lab.fire(_NESTED, destructive=True)
    twin = lab.fire(_NESTED.replace("[" * 90, "[" * 9).replace(" for a in b]" * 90, " for a in [1]]" * 9))

    assert (shot.status, shot.failure, shot.survived) == (Status.LOAD_ERROR, "SIGSEGV", True)
    assert os.getpid() == own
    assert twin.value == 1


def test_co_09_endless_import(lab: Lab) -> None:
    """CO-09: a loop while the source is loaded ends at the limit of the call, and says where it was."""
    shot = lab.fire("while True:\n    pass\ndef f():\n    return 1", wall_time_s=0.5)
    twin = lab.fire("for _ in range(1000):\n    pass\ndef f():\n    return 1")

    assert shot.status is Status.TIMEOUT
    assert shot.outcome.failure is not None
    assert shot.outcome.failure.message == "killed after 0.5 s, while its source was being loaded"
    assert twin.value == 1


@pytest.mark.case("CO-09")
def test_co_09_loading_has_a_limit_of_its_own(sabotage: Sabotage) -> None:
    """CO-09: loading ends long before the call's own limit; what is loaded in time may then use all of that."""
    limits = Limits(wall_time_s=10, load_time_s=0.4)
    with sabotage() as sandbox:
        twin = sandbox.run("import time\ndef f():\n    time.sleep(0.8)\n    return 1", limits=limits)
        begun = time.monotonic()
        outcome = sandbox.run("while True:\n    pass\ndef f():\n    return 1", limits=limits)
        seconds = time.monotonic() - begun

    assert (outcome.status, outcome.failure and outcome.failure.type) == (Status.TIMEOUT, "LoadTimeLimit")
    assert 0.4 <= seconds < 0.9
    assert twin.status is Status.SUCCESS


@pytest.mark.case("CO-02")
@pytest.mark.parametrize(
    ("line", "ending", "status"),
    [
        ("os._exit(3)", "ExitStatus", Status.LOAD_ERROR),
        ("os._exit(0)", "NoResult", Status.LOAD_ERROR),
        ("os.kill(os.getpid(), 9)", "SIGKILL", Status.LOAD_ERROR),
        ("os.write(4, b'L'); os._exit(3)", "ExitStatus", Status.CRASHED),
    ],
    ids=["exits", "exits well", "kills itself", "lies about it"],
)
def test_co_02_a_process_that_ends_while_it_loads(lab: Lab, line: str, ending: str, status: Status) -> None:
    """CO-02: it did not load. A tool may say that it did: then it crashed, which is no better for it."""
    shot = lab.fire(f"import os\n{line}\ndef f():\n    return 1")
    twin = lab.fire(f"import os\ndef f():\n    {line}\n    return 1")

    assert (shot.status, shot.failure, shot.survived) == (status, ending, True)
    assert (twin.status, twin.failure) == (Status.CRASHED, ending)


_NAMES: Final = {
    "folds to ASCII": ("\uff46 = 1", "U+FF46"),
    "looks like ASCII": ("\u0430 = 1", "U+0430"),
    "attribute": ("f.\u0430 = 1", "U+0430"),
    "argument": ("dict(\u0430=1)", "U+0430"),
    "variation selector": ("a\ufe0f = 1", "U+FE0F"),
    "within an f-string": ("a = f'{\uff46}'", "U+FF46"),
    "another script": ("\u043f\u0440\u0438\u043c\u0435\u0440 = 1", "U+043F"),
}


@pytest.mark.case("CO-07")
@pytest.mark.parametrize("name", _NAMES)
def test_co_07_names_outside_ascii(lab: Lab, name: str) -> None:
    """CO-07: refused before any of it runs, with line and character, and in ASCII."""
    line, point = _NAMES[name]
    shot = lab.fire(f"def f():\n    return 1\nprint('ran')\n{line}\n")

    failure = shot.outcome.failure
    assert (shot.status, shot.survived) == (Status.LOAD_ERROR, True)
    assert failure is not None
    assert failure.message.startswith("line 4: the name '")
    assert point in failure.message
    assert failure.message.isascii()
    assert shot.outcome.stdout.kept == b""


@pytest.mark.case("CO-07")
def test_co_07_text_in_any_script(lab: Lab) -> None:
    """CO-07, twin: strings, comments and f-strings hold what they like."""
    code = "def f():\n    n = 1  # \u2192 na\u00efve \u2705\ufe0f\n    return f'\u043f\u0440\u0438 {n}: \u00e9\u6f22'\n"

    assert lab.fire(code).value == "\u043f\u0440\u0438 1: \u00e9\u6f22"
