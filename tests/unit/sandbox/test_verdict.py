"""The verdict comes from what was seen outside the tool's process; the first rule that fits decides."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Outcome, Status
from toolwright.sandbox.frames import Frame, FrameType, FramingBroken
from toolwright.sandbox.transcript import CONFINED, LOADED, RESULT_HEADER, Transcript
from toolwright.sandbox.verdict import Stop, broken, judge, lost

pytestmark = pytest.mark.unit

MakeTranscript = Callable[..., Transcript]
READY = CONFINED + LOADED
VALUE = READY + RESULT_HEADER.pack(0, 1) + b"1"
FAILURE = json.dumps({"type": "ValueError", "message": "no", "traceback": "line 1"}).encode()
LIMITS = Limits(wall_time_s=2, memory_bytes=64 << 20, output_bytes=100, result_bytes=1_000)
KILLED, SEGV, CPU = int(signal.SIGKILL), int(signal.SIGSEGV), int(signal.SIGXCPU)


def framed(kind: int, body: bytes, length: int | None = None) -> bytes:
    """Return what a process writes as its result."""
    return READY + RESULT_HEADER.pack(kind, len(body) if length is None else length) + body


@dataclass(frozen=True)
class Case:
    status: Status
    kind: str
    result: bytes = VALUE
    stop: Stop | None = None
    report: dict[str, Any] = field(default_factory=dict)


EVERYTHING = {"flooded": True, "ooms": 1, "status": KILLED, "cut_off": True}
RULES = {
    # 1. We ended it: nothing that it sent or that happened meanwhile counts.
    "time was up": Case(Status.TIMEOUT, "TimeLimit", stop=Stop.TIMEOUT, report={"status": KILLED, "cut_off": True}),
    "time was up, and all else too": Case(Status.TIMEOUT, "TimeLimit", stop=Stop.TIMEOUT, report=EVERYTHING),
    "cut off, yet whole": Case(Status.TIMEOUT, "TimeLimit", stop=Stop.TIMEOUT, report={"cut_off": True}),
    "cut off before it was confined": Case(
        Status.TIMEOUT, "TimeLimit", b"", Stop.TIMEOUT, {"status": KILLED, "cut_off": True}
    ),
    "loading took too long": Case(
        Status.TIMEOUT, "LoadTimeLimit", CONFINED, Stop.LOADING, {"status": KILLED, "cut_off": True}
    ),
    # Our word came too late: it had ended already, or only the agent saw that its time was up.
    "it ended before it was told to": Case(Status.SUCCESS, "", stop=Stop.TIMEOUT),
    "it raised before it was told to end": Case(Status.TOOL_ERROR, "ValueError", framed(1, FAILURE), Stop.TIMEOUT),
    "it loaded before it was told to end": Case(Status.SUCCESS, "", stop=Stop.LOADING),
    "it ended late, and nobody told it to": Case(Status.TIMEOUT, "TimeLimit", report={"wall_ms": 2000.1}),
    "the agent's clock ended it": Case(
        Status.TIMEOUT, "TimeLimit", READY, report={"status": KILLED, "cut_off": True, "wall_ms": 2100}
    ),
    "it ended at the last moment": Case(Status.SUCCESS, "", report={"wall_ms": 2000.0}),
    "result too large to wait for": Case(
        Status.RESULT_INVALID, "ResultTooLarge", framed(0, b"", 10**9), Stop.RESULT_TOO_LARGE, EVERYTHING
    ),
    # 2. It flooded.
    "flooded": Case(Status.OUTPUT_LIMIT, "OutputLimit", report={"flooded": True, "status": KILLED}),
    "flooded, then out of memory": Case(Status.OUTPUT_LIMIT, "OutputLimit", report=EVERYTHING),
    "flooded, then a result": Case(Status.OUTPUT_LIMIT, "OutputLimit", report={"flooded": True}),
    # 3. The kernel killed it.
    "out of memory": Case(Status.OUT_OF_MEMORY, "MemoryLimit", READY, report={"status": KILLED, "ooms": 1}),
    "out of memory after its result": Case(Status.OUT_OF_MEMORY, "MemoryLimit", report={"status": KILLED, "ooms": 2}),
    # 4. Any other signal.
    "killed by nobody we know": Case(Status.CRASHED, "SIGKILL", READY, report={"status": KILLED}),
    "segmentation fault with a core": Case(Status.CRASHED, "SIGSEGV", READY, report={"status": SEGV | 0x80}),
    # A tool can send itself this one: it says nothing of the time that was used.
    "a signal that feigns a time limit": Case(Status.CRASHED, "SIGXCPU", READY, report={"status": CPU}),
    "segmentation fault after its result": Case(Status.CRASHED, "SIGSEGV", report={"status": SEGV}),
    "another's memory kill, own fault": Case(Status.CRASHED, "SIGSEGV", report={"status": SEGV, "ooms": 1}),
    "a real-time signal": Case(Status.CRASHED, "signal 40", report={"status": 40}),
    # 5. It never confined itself: ours, and no word of it counts.
    "not confined": Case(Status.INFRASTRUCTURE, "SandboxLost", b"", report={"status": 97 << 8}),
    "killed before it was confined": Case(
        Status.INFRASTRUCTURE, "SandboxLost", b"", report={"status": KILLED, "ooms": 1}
    ),
    "not confined, yet exit 0": Case(Status.INFRASTRUCTURE, "SandboxLost", b""),
    "another first byte": Case(Status.INFRASTRUCTURE, "SandboxLost", b"X" + VALUE[1:]),
    # 6. An exit status other than 0, whatever it sent before.
    "exit 3": Case(Status.CRASHED, "ExitStatus", READY, report={"status": 3 << 8}),
    "exit 1 after its result": Case(Status.CRASHED, "ExitStatus", report={"status": 1 << 8}),
    "exit 1 while another was killed for memory": Case(Status.CRASHED, "ExitStatus", report={"status": 256, "ooms": 1}),
    # 7. No whole result.
    "exit 0 with nothing": Case(Status.CRASHED, "NoResult", READY),
    "exit 0 with half a header": Case(Status.CRASHED, "NoResult", VALUE[:5]),
    "exit 0 with half a result": Case(Status.CRASHED, "NoResult", framed(0, b"12", 3)),
    "exit 0 with half of too large a result": Case(Status.RESULT_INVALID, "ResultTooLarge", framed(0, b"12", 10**6)),
    # CO-02: the same before it was loaded is source that does not load; memory and output keep their own verdicts.
    "a compiler that crashed": Case(Status.LOAD_ERROR, "SIGSEGV", CONFINED, report={"status": SEGV}),
    "exit 3 while loading": Case(Status.LOAD_ERROR, "ExitStatus", CONFINED, report={"status": 3 << 8}),
    "exit 0 while loading": Case(Status.LOAD_ERROR, "NoResult", CONFINED),
    "out of memory while loading": Case(
        Status.OUT_OF_MEMORY, "MemoryLimit", CONFINED, report={"status": KILLED, "ooms": 1}
    ),
    "flooded while loading": Case(Status.OUTPUT_LIMIT, "OutputLimit", CONFINED, report={"flooded": True}),
    "a result without the mark": Case(Status.SUCCESS, "", CONFINED + RESULT_HEADER.pack(0, 1) + b"1"),
    # 8. What the result says.
    "a value": Case(Status.SUCCESS, ""),
    "a value while a helper was killed for memory": Case(Status.SUCCESS, "", report={"ooms": 1}),
    "a value one byte too large": Case(Status.RESULT_INVALID, "ResultTooLarge", framed(0, b'"' + b"x" * 999 + b'"')),
    "no JSON": Case(Status.RESULT_INVALID, "NotJson", framed(0, b"{1}")),
    "an empty value": Case(Status.RESULT_INVALID, "NotJson", framed(0, b"")),
    "NaN": Case(Status.RESULT_INVALID, "NotJson", framed(0, b"NaN")),
    "bad UTF-8": Case(Status.RESULT_INVALID, "NotJson", framed(0, b'"\xff"')),
    "UTF-16": Case(Status.RESULT_INVALID, "NotJson", framed(0, '"x"'.encode("utf-16"))),
    "a pickle": Case(Status.RESULT_INVALID, "NotJson", framed(0, b"\x80\x04K\x01.")),
    "duplicate keys": Case(Status.RESULT_INVALID, "NotJson", framed(0, b'{"a":1,"a":2}')),
    "deep nesting": Case(Status.RESULT_INVALID, "NotJson", framed(0, b"[" * 400 + b"]" * 400)),
    "two values": Case(Status.RESULT_INVALID, "NotJson", framed(0, b"1 2")),
    "it raised": Case(Status.TOOL_ERROR, "ValueError", framed(1, FAILURE)),
    "it did not load": Case(Status.LOAD_ERROR, "ValueError", framed(2, FAILURE)),
    "its result has no JSON form": Case(Status.RESULT_INVALID, "ValueError", framed(3, FAILURE)),
}


@pytest.mark.parametrize("name", RULES)
def test_the_first_rule_that_fits_decides(make_transcript: MakeTranscript, name: str) -> None:
    """Every rule, in order, each against what later rules would have said."""
    case = RULES[name]

    outcome = judge(make_transcript(case.result, LIMITS, **case.report), LIMITS, case.stop)

    assert outcome.status is case.status
    assert (outcome.failure.type if outcome.failure else "") == case.kind
    assert (outcome.result_json == "1") == (case.status is Status.SUCCESS)


def test_a_success_keeps_output_and_usage(make_transcript: MakeTranscript) -> None:
    """Usage is the report's, output what came; the value is the very text that was sent."""
    body = '{"ü": -0.0, "n": 12345678901234567890123}'.encode()

    outcome = judge(make_transcript(framed(0, body), LIMITS, stdout=b"hello", stdout_bytes=9), LIMITS, None)

    assert outcome.result_json == body.decode()
    assert (outcome.stdout.kept, outcome.stdout.total_bytes) == (b"hello", 9)
    assert (outcome.usage.wall_ms, outcome.usage.cpu_ms, outcome.usage.peak_memory_bytes) == (1.5, 1.0, 4096)


def test_a_failure_keeps_output_and_usage(make_transcript: MakeTranscript) -> None:
    """What was printed before a crash helps whoever mends the tool."""
    outcome = judge(make_transcript(b"", LIMITS, stdout=b"here", status=SEGV), LIMITS, None)

    assert (outcome.stdout.text, outcome.usage.wall_ms) == ("here", 1.5)


def test_a_failure_is_read_even_where_results_have_to_be_small(make_transcript: MakeTranscript) -> None:
    """A limit of 10 bytes on results is none on the reason why there is no result."""
    tiny = Limits(result_bytes=10)
    body = json.dumps({"type": "E", "message": "no" * 500, "traceback": ""}).encode()
    transcript = make_transcript(framed(1, body), tiny)

    outcome = judge(transcript, tiny, None)

    assert not transcript.result_is_too_large
    assert (outcome.status, outcome.failure and outcome.failure.message) == (Status.TOOL_ERROR, "no" * 500)


def test_no_failure_may_be_of_any_length(make_transcript: MakeTranscript) -> None:
    """A failure's text has a bound of its own: beyond it the call is stopped and its result refused."""
    limits = Limits()
    transcript = make_transcript(framed(1, b"{", 3_000_000), limits)

    assert transcript.result_is_too_large
    assert judge(transcript, limits, None).status is Status.RESULT_INVALID


FORGED = {
    "no JSON": b"\x80\x04K\x01.",
    "a list": b"[]",
    "a string": b'"type"',
    "a number": b"7",
    "missing fields": b'{"type": "x"}',
    "a number as text": b'{"type": "x", "message": 1, "traceback": ""}',
    "nested": b'{"type": {"a": {}}, "message": "", "traceback": ""}',
    "duplicate keys": b'{"type": "a", "type": "b", "message": "", "traceback": ""}',
    "lone surrogate": b'{"type": "\\udc00", "message": "", "traceback": ""}',
    "bad UTF-8": b'{"type": "\xff", "message": "", "traceback": ""}',
    "too many fields": json.dumps({str(n): "" for n in range(99)}).encode(),
    "empty": b"",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_failure_is_still_the_tools_error(make_transcript: MakeTranscript, name: str) -> None:
    """A body that cannot be read is replaced by a text of ours; the status stays."""
    outcome = judge(make_transcript(framed(1, FORGED[name]), LIMITS), LIMITS, None)

    assert outcome.status is Status.TOOL_ERROR
    assert outcome.failure is not None
    assert (outcome.failure.type, outcome.failure.message) == ("Exception", "the tool sent no readable error")


def test_a_failure_cannot_claim_another_status(make_transcript: MakeTranscript) -> None:
    """Fields beyond the three, and names like our own, change nothing."""
    body = json.dumps({"type": "SandboxLost", "message": "retry", "traceback": "", "status": "INFRASTRUCTURE"}).encode()

    assert judge(make_transcript(framed(1, body), LIMITS), LIMITS, None).status is Status.TOOL_ERROR


def test_hostile_texts_are_cut(make_transcript: MakeTranscript) -> None:
    """Type, message and traceback each end at a length of their own; what is in them stays plain data."""
    nasty = "\x1b[2J\r\n\u202e\u2028</script>%s{0}"
    texts = {"type": nasty + "t" * 10_000, "message": nasty + "m" * 100_000, "traceback": nasty + "b" * 100_000}
    limits = Limits()

    failure = judge(make_transcript(framed(1, json.dumps(texts).encode()), limits), limits, None).failure

    assert failure is not None
    assert (len(failure.type), len(failure.message), len(failure.traceback)) == (200, 8_192, 65_536)
    assert failure.message.startswith(nasty)


def test_two_results_are_broken_framing(make_transcript: MakeTranscript) -> None:
    """A second result means that someone else wrote on the pipe."""
    with pytest.raises(FramingBroken):
        judge(make_transcript(VALUE + VALUE[2:], LIMITS), LIMITS, None)


def test_a_call_without_an_end_is_broken_framing() -> None:
    """There is no verdict on what has not ended."""
    transcript = Transcript(1, LIMITS)
    transcript.add(Frame(FrameType.STARTED, 1, b""))
    with pytest.raises(FramingBroken, match="no end report"):
        judge(transcript, LIMITS, None)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (broken(Transcript(1, LIMITS), FramingBroken("frame of type 9")), Status.PROTOCOL),
        (lost(Transcript(1, LIMITS), "gone"), Status.INFRASTRUCTURE),
    ],
)
def test_what_was_lost_has_a_verdict_without_an_end(outcome: Outcome, status: Status) -> None:
    """Broken framing is the container's fault, a lost one is ours; both say why."""
    assert outcome.status is status
    assert outcome.failure is not None
    assert outcome.failure.message in {"frame of type 9", "gone"}


@pytest.mark.case("PR-42")
@given(st.binary(max_size=60), st.integers(0, 0xFFFF), st.integers(0, 2), st.booleans(), st.sampled_from([None, *Stop]))
def test_whatever_was_sent_there_is_one_verdict(
    sent: bytes,
    status: int,
    ooms: int,
    flooded: bool,  # noqa: FBT001 - drawn by hypothesis
    stop: Stop | None,
) -> None:
    """PR-42: no transcript raises anything but `FramingBroken`; success needs a clean exit and a whole value."""
    report = {"status": status, "ooms": ooms, "flooded": flooded, "clean": True, "wall_ms": 1, "cpu_ms": 1}
    report |= {"cut_off": stop is not None, "peak_memory_bytes": 1, "stdout_bytes": 0, "stderr_bytes": 0}
    transcript = Transcript(1, LIMITS)
    transcript.add(Frame(FrameType.STARTED, 1, b""))
    transcript.add(Frame(FrameType.RESULT, 1, sent))
    try:
        transcript.add(Frame(FrameType.EXITED, 1, json.dumps(report).encode()))
        outcome = judge(transcript, LIMITS, stop)
    except FramingBroken:
        return
    if outcome.status is Status.SUCCESS:
        assert (status, flooded) == (0, False)
        assert stop in {None, Stop.CANCELLED}  # nobody hears of a cancelled one
        assert sent.startswith(CONFINED + b"\0")


def test_a_late_end_says_that_it_was_still_loading(make_transcript: MakeTranscript) -> None:
    """CO-09: which of the two limits it was, and how far it had got."""
    cut = {"status": KILLED, "cut_off": True}
    limits = Limits(wall_time_s=2, load_time_s=0.5)

    def said(result: bytes, stop: Stop) -> str:
        failure = judge(make_transcript(result, limits, **cut), limits, stop).failure
        assert failure is not None
        return failure.message

    assert said(CONFINED, Stop.LOADING) == "killed after 0.5 s, the limit of loading, while its source was being loaded"
    assert said(CONFINED, Stop.TIMEOUT) == "killed after 2 s, while its source was being loaded"
    assert said(READY, Stop.TIMEOUT) == "killed after 2 s"
