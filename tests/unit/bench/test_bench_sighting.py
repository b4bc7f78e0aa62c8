"""Whose processes are seen: those of a call, and not those that wait or stay."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from toolwright.bench.sighting import Residents

pytestmark = pytest.mark.unit

_SLEEPS = "import time; print(flush=True); time.sleep(60)"
_LIMITED = f"import resource; resource.setrlimit(resource.RLIMIT_CPU, (9, 9)); {_SLEEPS}"


@contextmanager
def _child(program: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def test_process_that_waits_is_of_no_call() -> None:
    """The zygote's child counts from when it has a limit on processor time; anybody else's counts at once."""
    me = os.getpid()
    with _child(_SLEEPS) as waits, _child(_LIMITED) as runs:
        ours = Residents(relay=1, zygote=me)
        assert (ours.is_of_call(waits), ours.is_of_call(runs)) == (False, True)
        assert Residents(relay=1, zygote=2**30).is_of_call(waits)
        assert not Residents(relay=waits, zygote=runs).is_of_call(waits)
        assert not Residents(relay=waits, zygote=runs).is_of_call(runs)


def test_process_that_has_ended_is_of_no_call() -> None:
    """Neither while nobody has waited for it, nor later."""
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", _LIMITED], stdout=subprocess.DEVNULL)
    anybody = Residents(relay=1, zygote=2**30)
    assert anybody.is_of_call(process.pid)
    process.kill()
    until = time.monotonic() + 10
    while anybody.is_of_call(process.pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not anybody.is_of_call(process.pid)
    process.wait()
    assert not anybody.is_of_call(process.pid)
