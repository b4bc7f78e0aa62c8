"""What the sandbox's unit tests share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from toolwright.domain.limits import Limits
from toolwright.sandbox.frames import Frame, FrameType
from toolwright.sandbox.transcript import CONFINED, RESULT_HEADER, Transcript

CALL_ID = 77
REPORT: dict[str, Any] = {
    "status": 0,
    "wall_ms": 1.5,
    "cpu_ms": 1,
    "peak_memory_bytes": 4096,
    "ooms": 0,
    "flooded": False,
    "cut_off": False,
    "clean": True,
    "stdout_bytes": 0,
    "stderr_bytes": 0,
}

MakeReport = Callable[..., bytes]
MakeResult = Callable[..., bytes]
MakeTranscript = Callable[..., Transcript]


@pytest.fixture
def make_report() -> MakeReport:
    """Make the body of an EXITED frame; keywords change its fields, None takes one out."""

    def make(**changes: Any) -> bytes:
        fields = {name: value for name, value in {**REPORT, **changes}.items() if value is not None}
        return json.dumps(fields).encode()

    return make


@pytest.fixture
def make_result() -> MakeResult:
    """Make what the process of a call writes: confined, kind, length, body."""

    def make(body: bytes = b"1", kind: int = 0, *, length: int | None = None) -> bytes:
        return CONFINED + RESULT_HEADER.pack(kind, len(body) if length is None else length) + body

    return make


@pytest.fixture
def make_transcript(make_report: MakeReport) -> MakeTranscript:
    """Make the transcript of a call that ended; `result` is what its process wrote."""

    def make(result: bytes = b"", limits: Limits | None = None, stdout: bytes = b"", **report: Any) -> Transcript:
        transcript = Transcript(CALL_ID, limits or Limits())
        transcript.add(Frame(FrameType.STARTED, CALL_ID, b""))
        if stdout:
            transcript.add(Frame(FrameType.STDOUT, CALL_ID, stdout))
        for start in range(0, len(result), 65_536):
            transcript.add(Frame(FrameType.RESULT, CALL_ID, result[start : start + 65_536]))
        transcript.add(Frame(FrameType.EXITED, CALL_ID, make_report(**{"stdout_bytes": len(stdout), **report})))
        return transcript

    return make
