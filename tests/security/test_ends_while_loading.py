"""CO: what a process that ends while it loads is called."""

from __future__ import annotations

import pytest

from toolwright.attacks.lab import Lab
from toolwright.domain.outcome import Status

pytestmark = [pytest.mark.security, pytest.mark.threat("T-LIE-02")]


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
