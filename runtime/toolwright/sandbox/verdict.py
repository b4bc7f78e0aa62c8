"""The verdict on a call: from what was seen outside its process, and from nothing that it says of itself."""

from __future__ import annotations

import os
import signal
from enum import Enum

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Failure, Outcome, Status, Usage
from toolwright.sandbox.frames import FramingBroken
from toolwright.sandbox.transcript import MAX_FAILURE_BYTES, Exit, ResultKind, Transcript

_REPORT_RULES = JsonRules(max_bytes=MAX_FAILURE_BYTES, max_depth=2, max_items=8)
LOAD_TIME_LIMIT = "LoadTimeLimit"
"""Type of the failure of a call whose source took too long to load."""
_MAX_TYPE, _MAX_MESSAGE, _MAX_TRACEBACK = 200, 8_192, 65_536
_FAILED_AS = {
    ResultKind.RAISED: Status.TOOL_ERROR,
    ResultKind.NOT_LOADED: Status.LOAD_ERROR,
    ResultKind.NOT_JSON: Status.RESULT_INVALID,
}


class Stop(Enum):
    """Why we ended a call that had not ended by itself."""

    TIMEOUT = "timeout"
    LOADING = "loading took too long"
    RESULT_TOO_LARGE = "result too large"
    CANCELLED = "cancelled"


def judge(transcript: Transcript, limits: Limits, stop: Stop | None) -> Outcome:
    """Return the outcome of a call that has ended: in order, or because we stopped it.

    Rules, first match wins: its result was too large to wait for ▸ its time was up before it ended ▸ it flooded ▸
    the kernel killed it for memory ▸ a signal or a non-zero exit status ended it (whatever it sent before) ▸ no whole
    result ▸ what the result says. Where it ended without a result before its source was loaded, it did not load.

    Raises:
        FramingBroken: it sent more than one result, or one that is none.
    """
    end = transcript.exit
    if stop is Stop.RESULT_TOO_LARGE:
        return _too_large(transcript, limits)
    if _was_late(end, limits, stop):
        return _late(transcript, limits, stop)
    if end is None:
        raise FramingBroken("no end report")
    if end.flooded:
        flood = f"killed for writing far more than {limits.output_bytes} bytes"
        return _failed(Status.OUTPUT_LIMIT, transcript, "OutputLimit", flood)
    if not transcript.confined:
        return lost(transcript, "the process could not give up its rights, so it ran nothing")
    if os.WIFSIGNALED(end.status):
        return _killed(transcript, end, limits)
    result = transcript.result()
    if (code := os.waitstatus_to_exitcode(end.status)) != 0:
        return _crashed(transcript, "ExitStatus", f"the process ended with status {code}")
    if result is None:
        if transcript.result_is_too_large:
            return _too_large(transcript, limits)
        return _crashed(transcript, "NoResult", "the process ended without a result")
    return _from_result(*result, transcript, limits)


def _was_late(end: Exit | None, limits: Limits, stop: Stop | None) -> bool:
    """Whether its time was up before it ended. The agent saw which came first; our word may have come too late."""
    asked = stop in {Stop.TIMEOUT, Stop.LOADING}
    if end is None:
        return asked
    return (asked and end.cut_off) or end.wall_ms > limits.wall_time_s * 1000


def _late(transcript: Transcript, limits: Limits, stop: Stop | None) -> Outcome:
    loading = "" if transcript.loaded else ", while its source was being loaded"
    if stop is Stop.LOADING:
        text = f"killed after {limits.load_time_s:g} s, the limit of loading{loading}"
        return _failed(Status.TIMEOUT, transcript, LOAD_TIME_LIMIT, text)
    return _failed(Status.TIMEOUT, transcript, "TimeLimit", f"killed after {limits.wall_time_s:g} s{loading}")


def broken(transcript: Transcript, fault: FramingBroken) -> Outcome:
    """Return the outcome of a call whose container broke the framing."""
    return _failed(Status.PROTOCOL, transcript, "Protocol", str(fault))


def lost(transcript: Transcript, why: str) -> Outcome:
    """Return the outcome of a call whose container went away."""
    return _failed(Status.INFRASTRUCTURE, transcript, "SandboxLost", why)


def _killed(transcript: Transcript, end: Exit, limits: Limits) -> Outcome:
    number = os.WTERMSIG(end.status)
    if number == signal.SIGKILL and end.ooms:
        text = f"killed at the memory limit of {limits.memory_bytes} bytes"
        return _failed(Status.OUT_OF_MEMORY, transcript, "MemoryLimit", text)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return _crashed(transcript, name, f"the process was ended by {name}")


def _crashed(transcript: Transcript, kind: str, message: str) -> Outcome:
    if transcript.loaded:
        return _failed(Status.CRASHED, transcript, kind, message)
    return _failed(Status.LOAD_ERROR, transcript, kind, f"{message}, while its source was being loaded")


def _from_result(kind: ResultKind, body: bytes, transcript: Transcript, limits: Limits) -> Outcome:
    if kind is not ResultKind.VALUE:
        return _failed(_FAILED_AS[kind], transcript, **_read_failure(body))
    if len(body) > limits.result_bytes:
        return _too_large(transcript, limits)
    try:
        JsonRules(max_bytes=limits.result_bytes).parse(body)
    except JsonRefused as refused:
        return _failed(Status.RESULT_INVALID, transcript, "NotJson", f"the result {refused}")
    return Outcome(
        Status.SUCCESS,
        result_json=body.decode(),
        stdout=transcript.stdout,
        stderr=transcript.stderr,
        usage=_usage(transcript),
    )


def _read_failure(body: bytes) -> dict[str, str]:
    try:
        report = _REPORT_RULES.parse(body)
        texts = {name: report[name] for name in ("type", "message", "traceback")}
        if all(type(text) is str for text in texts.values()):
            return {
                "kind": texts["type"][:_MAX_TYPE],
                "message": texts["message"][:_MAX_MESSAGE],
                "traceback": texts["traceback"][:_MAX_TRACEBACK],
            }
    except (JsonRefused, KeyError, TypeError):
        pass
    return {"kind": "Exception", "message": "the tool sent no readable error", "traceback": ""}


def _too_large(transcript: Transcript, limits: Limits) -> Outcome:
    text = f"the result has more than {limits.result_bytes} bytes"
    return _failed(Status.RESULT_INVALID, transcript, "ResultTooLarge", text)


def _failed(status: Status, transcript: Transcript, kind: str, message: str, traceback: str = "") -> Outcome:
    return Outcome(
        status,
        failure=Failure(kind, message, traceback),
        stdout=transcript.stdout,
        stderr=transcript.stderr,
        usage=_usage(transcript),
    )


def _usage(transcript: Transcript) -> Usage:
    end = transcript.exit
    return Usage(end.wall_ms, end.cpu_ms, end.peak_memory_bytes) if end else Usage()
