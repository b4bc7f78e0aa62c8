"""Whatever a container or a controller says, it is read to one verdict; by hypothesis, which shrinks what it finds."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tests.fuzz import agent_frames, seeded, streams
from tests.fuzz.chance import SEED
from toolwright.sandbox.frames import HEADER, MAGIC, PROTOCOL_VERSION

pytestmark = pytest.mark.unit

_JSON = st.sampled_from([b"1", b"[1,2]", b'{"a":1,"a":2}', b"NaN", b'"\\ud800"', b"\xff", streams.REPORT, b"[" * 70])
_bodies = st.binary(max_size=60) | _JSON | st.tuples(_JSON, st.binary(max_size=4)).map(b"".join)
_steps = st.lists(st.tuples(st.integers(0, 12), _bodies), max_size=6).map(
    lambda steps: b"".join(bytes([kind, len(body)]) + body for kind, body in steps)
)
_headers = st.builds(
    HEADER.pack,
    st.sampled_from([MAGIC, MAGIC, MAGIC, b"TWFX"]),
    st.sampled_from([PROTOCOL_VERSION] * 4 + [0, 2, 255]),
    st.sampled_from([1, 2, 16, 17, 18, 19, 20, 21]) | st.integers(0, 255),
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from([streams.CALL_ID, 0, 2**64 - 1]),
    st.integers(0, 70) | st.sampled_from([65_536, 65_537, 2**31, 2**32 - 1]),
)
_muxed = st.tuples(st.sampled_from([0, 1, 1, 2, 3, 255]), st.integers(0, 80)).map(
    lambda one: struct.pack(">BxxxI", *one)
)
_raw = st.lists(_headers | _muxed | st.binary(max_size=40), max_size=6).map(b"".join)
_steers = st.tuples(st.integers(0, 400), st.integers(0, 255), st.integers(0, 1)).map(
    lambda one: struct.pack(">HBB", *one)
)


@pytest.mark.case("PR-42", "FT-20")
@seed(SEED)
@settings(max_examples=400, deadline=None)
@given(_steers, _steps | _raw)
def test_a_stream_has_one_verdict_however_it_is_cut(steer: bytes, stream: bytes) -> None:
    """PR-42, FT-20: frames well formed and not, cut anywhere: one verdict or broken framing, and nothing else."""
    streams.check(steer + stream)


@pytest.mark.case("PR-42")
@seed(SEED)
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 200), _raw)
def test_the_agent_reads_frames_or_refuses(cut: int, stream: bytes) -> None:
    """PR-42: so does the agent's own reader, and it takes nothing but calls and kills."""
    agent_frames.check(struct.pack(">H", cut) + stream)


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (seeded.stream, b"\0\x18\2\0" + HEADER.pack(MAGIC, PROTOCOL_VERSION, 99, 0, 1, 0)),
        (seeded.agent_stream, b"\0\0" + HEADER.pack(MAGIC, PROTOCOL_VERSION, 1, 0, 1, 1)),
        (seeded.json_text, b'\0"a\n"'),
    ],
)
def test_a_fault_that_was_put_in_shows(target: streams.Target, found: bytes) -> None:
    """Control: the checks fail on readers that are broken, each in one way."""
    with pytest.raises((AssertionError, ValueError)):
        target(found)
