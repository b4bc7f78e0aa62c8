"""Bytes as a container sends them in a good call."""

from __future__ import annotations

import json
import struct

from toolwright.sandbox.frames import FrameType, pack
from toolwright.sandbox.transcript import CONFINED, RESULT_HEADER


def good_call(call_id: int) -> bytes:
    """Return all of a call that prints a little and returns a nested value, as on an attach stream."""
    value = json.dumps({"a": [1, 2.5, None, "x\u00fc"], "b": {"c": -1}}).encode()
    report = {"status": 0, "wall_ms": 1.5, "cpu_ms": 1.0, "peak_memory_bytes": 4096, "ooms": 0, "flooded": False}
    report |= {"cut_off": False, "clean": True, "stdout_bytes": 5, "stderr_bytes": 0}
    frames = (
        pack(FrameType.STARTED, call_id),
        pack(FrameType.STDOUT, call_id, b"hello"),
        pack(FrameType.RESULT, call_id, CONFINED + RESULT_HEADER.pack(0, len(value)) + value),
        pack(FrameType.EXITED, call_id, json.dumps(report).encode()),
    )
    return b"".join(struct.pack(">BxxxI", 1, len(frame)) + frame for frame in frames)
