"""When a call has to end, and why: the first reason that holds."""

from __future__ import annotations

import pytest

from toolwright.domain.limits import Limits
from toolwright.sandbox.frames import Frame, FrameType
from toolwright.sandbox.transcript import CONFINED, LOADED, RESULT_HEADER, Transcript
from toolwright.sandbox.verdict import Stop
from toolwright.sandbox.watch import Watch

pytestmark = pytest.mark.unit

LOADING, RUNNING = CONFINED, CONFINED + LOADED
HUGE = RUNNING + RESULT_HEADER.pack(0, 2**31)


def heard(result: bytes) -> Transcript:
    """Return the transcript of a call that wrote so much of its result."""
    transcript = Transcript(1, Limits())
    transcript.add(Frame(FrameType.STARTED, 1, b""))
    transcript.add(Frame(FrameType.RESULT, 1, result))
    return transcript


@pytest.mark.parametrize(
    ("wall_s", "load_s", "result", "after_s", "why"),
    [
        (10, 2, LOADING, 1.99, None),
        (10, 2, LOADING, 2.0, Stop.LOADING),
        (10, 2, RUNNING, 2.0, None),
        (10, 2, RUNNING, 10.0, Stop.TIMEOUT),
        # A lower limit on the whole call is one on loading as well, and is what it is called.
        (1, 2, LOADING, 1.0, Stop.TIMEOUT),
        (2, 2, LOADING, 2.0, Stop.TIMEOUT),
        # Nobody looked for a while: both are over.
        (10, 2, LOADING, 11.0, Stop.TIMEOUT),
        (10, 2, HUGE, 1.0, Stop.RESULT_TOO_LARGE),
        (10, 2, HUGE, 10.0, Stop.TIMEOUT),
    ],
)
def test_the_first_reason_that_holds(wall_s: float, load_s: float, result: bytes, after_s: float, why: Stop) -> None:
    """CO-09: loading has a limit within that of the call; a result too large to wait for ends it before."""
    watch = Watch(Limits(wall_time_s=wall_s, load_time_s=load_s), begun=100.0)

    assert watch.why_end(heard(result), 100.0 + after_s, cancelled=False) is why


def test_a_cancel_comes_before_all_else() -> None:
    """Nobody is there to hear of anything else."""
    watch = Watch(Limits(), begun=0.0)

    assert watch.why_end(heard(HUGE), 1_000.0, cancelled=True) is Stop.CANCELLED


def test_the_deadline_moves_once_it_is_loaded() -> None:
    """The wait for frames ends when something is due, and no sooner."""
    watch = Watch(Limits(wall_time_s=10, load_time_s=2), begun=100.0)

    assert (watch.deadline(heard(LOADING)), watch.deadline(heard(RUNNING))) == (102.0, 110.0)
