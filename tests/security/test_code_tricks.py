"""CO: source that attacks whoever reads it. Only a call's own process ever does."""

from __future__ import annotations

import os
from typing import Final

import pytest

from toolwright.attacks.lab import Lab
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
    """CO-02: a kilobyte of source that makes CPython's compiler crash ends its own process alone.

    Our rule: a process that a signal ends is CRASHED, in loading as in running. (Where this source no longer
    crashes the interpreter of the image, the test needs another that does.)
    """
    own = os.getpid()

    shot = lab.fire(_NESTED, destructive=True)
    twin = lab.fire(_NESTED.replace("[" * 90, "[" * 9).replace(" for a in b]" * 90, " for a in [1]]" * 9))

    assert (shot.status, shot.failure, shot.survived) == (Status.CRASHED, "SIGSEGV", True)
    assert os.getpid() == own
    assert twin.value == 1


def test_co_09_endless_import(lab: Lab) -> None:
    """CO-09: a loop while the source is loaded ends at the limit of the call: loading has no other."""
    shot = lab.fire("while True:\n    pass\ndef f():\n    return 1", wall_time_s=0.5)
    twin = lab.fire("for _ in range(1000):\n    pass\ndef f():\n    return 1")

    assert (shot.status, shot.survived) == (Status.TIMEOUT, True)
    assert twin.value == 1
