"""PR, without an engine: what the controller accepts of the bytes that come out of a sandbox."""

from __future__ import annotations

import json
import struct
import tracemalloc
from typing import Final

import pytest

from toolwright.domain.limits import MIB, Limits
from toolwright.domain.outcome import Outcome, Status
from toolwright.sandbox.frames import (
    HEADER,
    MAGIC,
    MAX_BODY,
    PROTOCOL_VERSION,
    Frame,
    FrameDecoder,
    FrameType,
    FramingBroken,
)
from toolwright.sandbox.transcript import CONFINED, RESULT_HEADER, Transcript
from toolwright.sandbox.verdict import judge

pytestmark = pytest.mark.security

_CALL: Final = 7
_CAP: Final = MAX_BODY[FrameType.STDOUT]


def _header(length: int) -> bytes:
    return HEADER.pack(MAGIC, PROTOCOL_VERSION, FrameType.STDOUT, 0, _CALL, length)


@pytest.mark.parametrize("length", [_CAP + 1, 2**31, 2**32 - 1, "2**63", "-1"])
def test_pr_08_frame_length_is_refused_by_its_header(length: int | str) -> None:
    """PR-08: a frame longer than its kind may be is refused before a byte of it is waited for or kept."""
    # The length has four bytes. A wider or signed one is read as what its first four say.
    wide = {"2**63": struct.pack(">Q", 2**63), "-1": struct.pack(">q", -1)}
    raw = _header(length) if isinstance(length, int) else _header(0)[:-4] + wide[length]
    decoder = FrameDecoder()

    tracemalloc.start()
    try:
        with pytest.raises(FramingBroken, match="more than 65536"):
            decoder.feed(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 16 * 1024


@pytest.mark.parametrize("length", [0, 1, _CAP])
def test_pr_08_frame_length_within_its_cap_is_taken(length: int) -> None:
    """PR-08, control: the same header with a length up to the cap is a frame."""
    frames = FrameDecoder().feed(_header(length) + b"x" * length)

    assert frames == [Frame(FrameType.STDOUT, _CALL, b"x" * length)]


@pytest.mark.parametrize("length", [4 * MIB + 1, 2**31, 2**32 - 1])
def test_pr_08_result_length_is_refused_by_its_header(length: int) -> None:
    """PR-08: so is a result, by the length that it announces; what it sends beyond its cap is PROTOCOL."""
    transcript = _transcript(CONFINED + RESULT_HEADER.pack(0, length))

    assert transcript.announced_result_bytes == length
    assert _ended(transcript).status is Status.RESULT_INVALID
    for _ in range(Limits().result_bytes // _CAP):
        transcript.add(Frame(FrameType.RESULT, _CALL, b"x" * (_CAP - 1)))
    with pytest.raises(FramingBroken, match="RESULT beyond its cap"):
        transcript.add(Frame(FrameType.RESULT, _CALL, b"x" * _CAP))


_EXIT: Final = {
    **dict.fromkeys(("status", "wall_ms", "cpu_ms", "peak_memory_bytes", "ooms", "stdout_bytes", "stderr_bytes"), 0),
    "flooded": False,
    "cut_off": False,
    "clean": True,
}


def _transcript(raw: bytes) -> Transcript:
    transcript = Transcript(_CALL, Limits())
    transcript.add(Frame(FrameType.STARTED, _CALL, b""))
    for at in range(0, len(raw), _CAP):
        transcript.add(Frame(FrameType.RESULT, _CALL, raw[at : at + _CAP]))
    return transcript


def _ended(transcript: Transcript) -> Outcome:
    transcript.exit = None
    transcript.add(Frame(FrameType.EXITED, _CALL, json.dumps(_EXIT).encode()))
    outcome = judge(transcript, Limits(), None)
    transcript.exit = None
    return outcome


def _judged(body: str) -> Outcome:
    """Return the verdict on a process that ended well and said that its result is `body`."""
    raw = body.encode()
    return _ended(_transcript(CONFINED + RESULT_HEADER.pack(0, len(raw)) + raw))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", '{"a":[1,NaN]}', "[1e400]"])
def test_pr_12_numbers_that_json_does_not_have(number: str) -> None:
    """PR-12: what is not finite is no result."""
    assert _judged(number).status is Status.RESULT_INVALID


@pytest.mark.parametrize("number", ["-0.0", "1e-999", "1e308", "0"])
def test_pr_12_finite_numbers_are_kept_as_written(number: str) -> None:
    """PR-12, control: what is finite is a result, and its text stays as it came: minus zero and the tiny too."""
    assert _judged(number).result_json == number


_MONSTERS: Final = {
    "100,000 deep": "[" * 100_000 + "]" * 100_000,
    "100,000 deep and open": "[" * 100_000,
    "100,000 deep in objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "1,000,000 keys": "{" + ",".join(f'"{number}":0' for number in range(300_000)) + "}",
    "10,000,000 items": "[" + "0," * 2_000_000 + "0]",
    "deep and wide": "[" * 60 + ",".join("[]" for _ in range(100_001)) + "]" * 60,
    "10,000 digits": "1" * 10_000,
}


@pytest.mark.parametrize("name", _MONSTERS)
def test_pr_14_monstrous_results(name: str) -> None:
    """PR-14: depth, keys and items are counted before anything is parsed; the parser never meets them.

    As many as fit into a result: a million keys, ten million items and a key of 10 MiB have more bytes than
    one may have (see the next test).
    """
    assert _judged(_MONSTERS[name]).status is Status.RESULT_INVALID


def test_pr_14_more_bytes_than_a_result_may_have() -> None:
    """PR-14: a key of 10 MiB is refused by the length that its header announces, as ten million items are."""
    for size in (10 * MIB, 20_000_001):
        transcript = _transcript(CONFINED + RESULT_HEADER.pack(0, size))
        assert _ended(transcript).status is Status.RESULT_INVALID


def test_pr_14_large_results_within_the_rules() -> None:
    """PR-14, control: 64 levels, 50,000 keys and a key of one MiB are results."""
    for value in ("[" * 64 + "]" * 64, json.dumps({str(n): 0 for n in range(50_000)}), json.dumps({"k" * MIB: 1})):
        assert _judged(value).result_json == value
