"""One call over the stream, against an agent of the test's own that lies, drips, dies or keeps silent."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from docker.errors import APIError, NotFound

from tests.unit.sandbox.fake_agent import FakeAgent, Rig, make_rig
from toolwright.domain.call import ToolCall
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import CallCancelled, SandboxUnavailable
from toolwright.sandbox import container
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.container import Keeping
from toolwright.sandbox.frames import HEADER, FrameType, pack
from toolwright.sandbox.transcript import CONFINED, RESULT_HEADER

pytestmark = pytest.mark.unit

S, O, R, X = FrameType.STARTED, FrameType.STDOUT, FrameType.RESULT, FrameType.EXITED  # noqa: E741 - short, as in the transcript's tests
MakeReport = Callable[..., bytes]


def answer(status: int) -> requests.Response:
    """Return the engine's answer of this status."""
    response = requests.Response()
    response.status_code = status
    return response


@pytest.fixture
def rig(make_report: MakeReport) -> Iterator[Rig]:
    """A sandbox whose agent the test plays."""
    made = make_rig(make_report())
    yield made
    made.sandbox.destroy()
    made.agent.peer.close()


def test_a_good_call_leaves_the_sandbox_usable(rig: Rig) -> None:
    """The controls: what all the others are compared with."""
    for number in (1, 2):
        outcome = rig.run(lambda: rig.agent.end(rig.agent.hear()))
        assert (outcome.status, outcome.result_json) == (Status.SUCCESS, "1")
        assert (rig.sandbox.usable, rig.sandbox.calls, rig.api.killed) == (True, number, 0)
    ids = [call_id for _, call_id in rig.agent.seen]
    assert len(set(ids)) == 2
    assert all(call_id > 0 for call_id in ids)


def test_the_call_says_its_limits_to_the_agent_and_its_payload_to_the_process(rig: Rig) -> None:
    """Two parts: numbers for the relay, and bytes that it passes on unread."""
    rig.run(lambda: rig.agent.end(rig.agent.hear()), wall_time_s=1.5, processes=3, output_bytes=10)

    body = rig.agent.bodies[0]
    (length,) = struct.unpack_from(">I", body)
    header, payload = json.loads(body[4 : 4 + length]), body[4 + length :]
    sizes = struct.unpack_from(">III", payload)
    for_call = json.loads(payload[12 : 12 + sizes[0]])
    assert (header["processes"], header["output_bytes"], header["file_bytes"]) == (3, 10, 64 << 20)
    assert header["cpu_s"] == 3
    assert (for_call["operation"], for_call["function"]) == ("call", "f")
    assert payload[12 + sizes[0] :] == b'def f(): ...{"a": 1}'
    assert sum(sizes) + 12 == len(payload)


def test_a_lowered_memory_limit_binds_the_process(rig: Rig) -> None:
    """The container's own limit is the ceiling; a lower one is held by the address space of data."""
    for memory, data in ((256 << 20, 512 << 20), (32 << 20, 32 << 20)):
        rig.run(lambda: rig.agent.end(rig.agent.hear()), memory_bytes=memory)
        body = rig.agent.bodies[-1]
        assert json.loads(body[4 : 4 + struct.unpack_from(">I", body)[0]])["data_bytes"] == data


def test_words_on_stderr_are_no_part_of_the_call(rig: Rig) -> None:
    """What the container prints beside the channel is neither output nor a fault."""

    def script() -> None:
        call_id = rig.agent.hear()
        rig.agent.say(pack(X, call_id, rig.agent.report), stream=2)
        rig.agent.end(call_id)

    assert rig.run(script).status is Status.SUCCESS
    assert rig.sandbox.usable


LIES: dict[str, Callable[[FakeAgent, int], None]] = {
    "garbage": lambda agent, call_id: agent.say(b"Traceback (most recent call last):\n"),
    "frame of a type it may not send": lambda agent, call_id: agent.say(pack(FrameType.KILL, call_id)),
    "frame beyond its cap": lambda agent, call_id: agent.say(HEADER.pack(b"TWFR", 1, O, 0, call_id, 70_000)),
    "another call's frame": lambda agent, call_id: agent.say(pack(S, call_id ^ 1)),
    "an early end": lambda agent, call_id: agent.say(pack(X, call_id, agent.report)),
    "a hello": lambda agent, call_id: agent.say(pack(FrameType.HELLO, 0, b"{}")),
    "two ends": lambda agent, call_id: agent.say(pack(S, call_id) + 2 * pack(X, call_id, agent.report)),
    "half a frame after the end": lambda agent, call_id: agent.say(
        pack(S, call_id) + pack(X, call_id, agent.report) + b"TW"
    ),
    "an impossible wait status": lambda agent, call_id: agent.say(
        pack(S, call_id) + pack(X, call_id, agent.report.replace(b'"status": 0', b'"status": 9999999999'))
    ),
    "an unknown attach stream": lambda agent, call_id: agent.say(b"x", stream=9),
}


@pytest.mark.case("FT-20")
@pytest.mark.parametrize("name", LIES)
def test_broken_framing_is_protocol_and_the_end_of_the_sandbox(rig: Rig, name: str) -> None:
    """FT-20: the verdict is PROTOCOL at once, and the container takes no other call."""
    begun = time.monotonic()

    outcome = rig.run(lambda: LIES[name](rig.agent, rig.agent.hear()))

    assert outcome.status is Status.PROTOCOL
    assert time.monotonic() - begun < 1
    assert not rig.sandbox.usable


@pytest.mark.parametrize("sent", [b"", b"TWFR", pack(S, 1)[:-1], b"\x01\x00"])
def test_a_stream_that_ends_in_a_call_is_our_fault(rig: Rig, sent: bytes) -> None:
    """The container went away after the call was sent: INFRASTRUCTURE, and no use of it again."""

    def script() -> None:
        rig.agent.hear()
        if sent:
            rig.agent.say(sent)
        rig.agent.peer.close()

    assert rig.run(script).status is Status.INFRASTRUCTURE
    assert not rig.sandbox.usable


def test_a_stream_that_ended_before_the_call_means_that_nothing_ran(rig: Rig) -> None:
    """The call could not be sent: the caller may safely send it elsewhere."""
    rig.agent.peer.close()

    assert not rig.sandbox.usable
    with pytest.raises(SandboxUnavailable, match="did not run"):
        rig.run(lambda: None)


def test_an_idle_sandbox_that_speaks_is_not_used_again(rig: Rig) -> None:
    """An idle agent is silent; a byte that nobody asked for is reason enough."""
    rig.run(lambda: rig.agent.end(rig.agent.hear()))
    rig.agent.say(b"T")

    assert not rig.sandbox.usable


def test_no_proof_of_a_clean_end_keeps_the_verdict_and_ends_the_sandbox(rig: Rig, make_report: MakeReport) -> None:
    """The call itself was fine; the next one goes elsewhere."""
    rig.agent.report = make_report(clean=False)

    assert rig.run(lambda: rig.agent.end(rig.agent.hear())).status is Status.SUCCESS
    assert not rig.sandbox.usable


@pytest.mark.case("PR-09")
def test_time_is_up_for_the_whole_call_however_it_drips(rig: Rig) -> None:
    """PR-09: a byte now and then wins no time; the kill goes out when the wall time is spent."""

    def script() -> None:
        call_id = rig.agent.hear()
        for byte in pack(S, call_id) + pack(O, call_id, b"x" * 100):
            rig.agent.say(bytes([byte]))
            time.sleep(0.005)
            if time.monotonic() - begun > 0.25:
                break
        assert rig.agent.hear() == call_id
        heard.append(time.monotonic() - begun)
        rig.agent.peer.close()

    heard: list[float] = []
    begun = time.monotonic()
    outcome = rig.run(script, wall_time_s=0.3)

    assert rig.agent.seen[-1][0] is FrameType.KILL
    assert 0.3 <= heard[0] < 0.6
    assert outcome.status in {Status.TIMEOUT, Status.INFRASTRUCTURE}


def test_a_killed_call_is_a_timeout_and_the_sandbox_goes_on(rig: Rig, make_report: MakeReport) -> None:
    """The agent proves that all is gone: only the call is lost."""
    rig.agent.report = make_report(status=9, cut_off=True)

    def script() -> None:
        call_id = rig.agent.hear()
        rig.agent.say(pack(S, call_id))
        rig.agent.hear()
        rig.agent.say(pack(X, call_id, rig.agent.report))

    assert rig.run(script, wall_time_s=0.1).status is Status.TIMEOUT
    assert rig.sandbox.usable
    assert rig.api.killed == 0


def test_a_silent_agent_is_killed_whole(rig: Rig) -> None:
    """No proof within the grace: the container is killed from outside, the verdict stays TIMEOUT."""

    def script() -> None:
        rig.agent.hear()
        rig.agent.hear()

    begun = time.monotonic()
    outcome = rig.run(script, wall_time_s=0.1)

    assert outcome.status is Status.TIMEOUT
    assert rig.api.killed == 1
    assert not rig.sandbox.usable
    assert time.monotonic() - begun < 0.1 + container.KILL_GRACE_S + 1


def test_a_call_that_ended_before_its_kill_came_keeps_its_verdict(rig: Rig, make_report: MakeReport) -> None:
    """RX-35: the agent saw which came first, and its word of the end crossed ours on the way."""
    rig.agent.report = make_report(cut_off=False)

    def script() -> None:
        call_id = rig.agent.hear()
        assert rig.agent.hear() == call_id
        rig.agent.end(call_id)

    assert rig.run(script, wall_time_s=0.1).status is Status.SUCCESS
    assert rig.agent.seen[-1][0] is FrameType.KILL
    assert rig.sandbox.usable


def test_loading_ends_at_its_own_limit(rig: Rig, make_report: MakeReport) -> None:
    """CO-09: the kill goes out long before the call's own limit, and the verdict names the limit."""
    rig.agent.report = make_report(status=9, cut_off=True)

    def script() -> None:
        call_id = rig.agent.hear()
        rig.agent.say(pack(S, call_id) + pack(R, call_id, CONFINED))
        rig.agent.hear()
        rig.agent.say(pack(X, call_id, rig.agent.report))

    begun = time.monotonic()
    outcome = rig.run(script, wall_time_s=30, load_time_s=0.2)

    assert 0.2 <= time.monotonic() - begun < 2
    assert (outcome.status, outcome.failure and outcome.failure.type) == (Status.TIMEOUT, "LoadTimeLimit")


def test_what_is_in_doubt_is_dead_when_the_verdict_is_given(rig: Rig, make_report: MakeReport) -> None:
    """Broken framing, or no proof of the end: nothing of the call outlives its verdict."""
    rig.agent.report = make_report(clean=False)
    rig.run(lambda: rig.agent.end(rig.agent.hear()))

    assert rig.api.killed == 1


def test_too_large_a_result_is_stopped_at_its_header(rig: Rig, make_report: MakeReport) -> None:
    """RX-18: decided from the announced length; its bytes are not waited for."""
    rig.agent.report = make_report(status=9, cut_off=True)

    def script() -> None:
        call_id = rig.agent.hear()
        rig.agent.say(pack(S, call_id) + pack(R, call_id, CONFINED + RESULT_HEADER.pack(0, 2**31)))
        rig.agent.hear()
        rig.agent.say(pack(X, call_id, rig.agent.report))

    assert rig.run(script).status is Status.RESULT_INVALID
    assert rig.agent.seen[-1][0] is FrameType.KILL
    assert rig.sandbox.usable


# --- cancellation ---------------------------------------------------------------------------


def test_a_cancel_kills_the_call_and_keeps_the_sandbox(rig: Rig, make_report: MakeReport) -> None:
    """The kill goes out at once; the reply is waited for, so that every process is surely dead."""
    rig.agent.report = make_report(status=9, cut_off=True)
    cancellation = Cancellation()

    def script() -> None:
        call_id = rig.agent.hear()
        rig.agent.say(pack(S, call_id))
        cancellation.cancel()
        assert rig.agent.hear() == call_id
        rig.agent.say(pack(X, call_id, rig.agent.report))

    with pytest.raises(CallCancelled):
        rig.run(script, cancellation=cancellation)
    assert rig.agent.seen[-1][0] is FrameType.KILL
    assert rig.sandbox.usable


def test_what_was_cancelled_before_is_never_sent(rig: Rig) -> None:
    """A caller that is gone already starts nothing."""
    cancellation = Cancellation()
    cancellation.cancel()

    with pytest.raises(CallCancelled):
        rig.run(lambda: None, cancellation=cancellation)
    rig.agent.peer.setblocking(False)  # noqa: FBT003 - the socket's own parameter
    with pytest.raises(BlockingIOError):
        rig.agent.peer.recv(1)
    assert rig.sandbox.usable


def test_a_cancel_that_nobody_answers_kills_the_container(rig: Rig) -> None:
    """A cancelled call never outlives its grace."""
    cancellation = Cancellation()

    def script() -> None:
        rig.agent.hear()
        cancellation.cancel()

    begun = time.monotonic()
    with pytest.raises(CallCancelled):
        rig.run(script, cancellation=cancellation)
    assert time.monotonic() - begun < container.KILL_GRACE_S + 1
    assert rig.api.killed == 1
    assert not rig.sandbox.usable


def test_a_cancel_is_heard_while_the_call_is_sent(rig: Rig) -> None:
    """An agent that takes nothing in holds up no caller that goes away; what it has is no call, so nothing ran."""
    cancellation = Cancellation()
    timer = threading.Timer(0.2, cancellation.cancel)
    code = f"def f(): ...\n{('#' * 9_000 + chr(10)) * 28}"
    begun = time.monotonic()
    timer.start()
    with pytest.raises(CallCancelled, match="did not run"):
        rig.sandbox.run(ToolCall(ToolSource(code, "f"), json.dumps({"a": "x" * 900_000}), Limits()), cancellation)
    timer.join()

    assert 0.2 <= time.monotonic() - begun < 2
    assert not rig.sandbox.usable


@pytest.mark.parametrize("ending", ["garbage", "closed"])
def test_a_cancel_of_a_broken_call_leaves_no_process(rig: Rig, ending: str) -> None:
    """Whatever the container does when it is cancelled, it does not go on."""
    cancellation = Cancellation()

    def script() -> None:
        rig.agent.hear()
        cancellation.cancel()
        rig.agent.say(b"!" * 40) if ending == "garbage" else rig.agent.peer.close()

    with pytest.raises(CallCancelled):
        rig.run(script, cancellation=cancellation)
    assert rig.api.killed == 1
    assert not rig.sandbox.usable


def test_a_late_cancel_reaches_no_later_call(rig: Rig) -> None:
    """The switch of an ended call does nothing to the next one in the same sandbox."""
    old = Cancellation()
    rig.run(lambda: rig.agent.end(rig.agent.hear()), cancellation=old)

    def script() -> None:
        call_id = rig.agent.hear()
        old.cancel()
        rig.agent.end(call_id)

    assert rig.run(script).status is Status.SUCCESS
    assert [kind for kind, _ in rig.agent.seen] == [FrameType.CALL, FrameType.CALL]


# --- its end --------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [{"max_calls": 2}, {"max_age_s": 0.2}])
def test_a_sandbox_retires(make_report: MakeReport, policy: dict[str, Any]) -> None:
    """After so many calls, or at such an age, it takes no other."""
    rig = make_rig(make_report(), **policy)
    rig.run(lambda: rig.agent.end(rig.agent.hear()))
    assert rig.sandbox.usable
    rig.run(lambda: rig.agent.end(rig.agent.hear()))
    time.sleep(0.25)

    assert not rig.sandbox.usable
    rig.sandbox.destroy()
    rig.agent.peer.close()


def test_destroying_twice_removes_once(make_report: MakeReport) -> None:
    """The stream is let go of, and whoever waits for its end hears of it once."""
    rig = make_rig(make_report())
    heard: list[int] = []
    rig.sandbox._keeping = Keeping(gone=lambda: heard.append(1))

    rig.sandbox.destroy()
    rig.sandbox.destroy()

    assert (rig.api.removed, heard, rig.agent.peer.recv(1)) == (1, [1], b"")
    assert not rig.sandbox.usable
    rig.agent.peer.close()


@pytest.mark.parametrize(
    ("fault", "gone"),
    [
        (NotFound("no such container"), True),
        (APIError("removal is in progress", answer(409)), True),
        (APIError("disk full", answer(500)), False),
    ],
)
def test_only_a_container_that_is_gone_counts_as_gone(
    make_report: MakeReport,
    fault: Exception,
    gone: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Its own removal may be faster than ours; any other failure is told, and its user ids stay taken."""
    rig = make_rig(make_report())
    heard: list[int] = []
    rig.sandbox._keeping = Keeping(gone=lambda: heard.append(1))
    rig.api.fault = fault

    if gone:
        rig.sandbox.destroy()
    else:
        with pytest.raises(SandboxUnavailable):
            rig.sandbox.destroy()
    assert heard == ([1] if gone else [])
    rig.agent.peer.close()
