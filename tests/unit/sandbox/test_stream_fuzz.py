"""Mutated streams through the whole of what reads a container: attach stream, frames, transcript, verdict, JSON."""

from __future__ import annotations

import random
import struct
from contextlib import suppress

import psutil
import pytest

from tests.unit.sandbox.fake_agent_stream import good_call
from toolwright.domain.limits import Limits
from toolwright.sandbox.frames import FrameDecoder, FramingBroken, MuxDecoder
from toolwright.sandbox.transcript import Transcript
from toolwright.sandbox.verdict import judge

pytestmark = pytest.mark.unit

CALL_ID = 77
LIMITS = Limits(output_bytes=200, result_bytes=200)
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, ord("{"), ord("]"), ord('"'), ord("\\"))


def mutated(stream: bytes, chance: random.Random) -> bytes:
    """Return the stream with a few bytes changed, left out, doubled or moved."""
    data = bytearray(stream)
    for _ in range(chance.randint(1, 4)):
        place, length = chance.randrange(len(data)), chance.randint(1, 12)
        match chance.randrange(5):
            case 0:
                data[place] = chance.choice(INTERESTING)
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = data[place : place + length]
            case 3:
                data[place : place + 4] = struct.pack(">I", chance.choice((0, 1, 2**31, 2**32 - 1, 65_537)))
            case _:
                data[place : place + length] = chance.randbytes(length)
        if not data:
            return b"\0"
    return bytes(data)


def read(stream: bytes, cut: int) -> None:
    """Read a stream as a sandbox does, in two pieces, to a verdict."""
    mux, decoder, transcript = MuxDecoder(), FrameDecoder(), Transcript(CALL_ID, LIMITS)
    for piece in (stream[:cut], stream[cut:]):
        for frame in decoder.feed(mux.feed(piece)):
            transcript.add(frame)
    judge(transcript, LIMITS, None)


@pytest.mark.case("PR-42")
@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_a_mutated_stream_has_a_verdict_or_broken_framing(count: int) -> None:
    """PR-42: no other exception, no hang, and no memory that stays; the seed is fixed."""
    chance, good = random.Random(20_260_101), good_call(CALL_ID)
    read(good, 10)
    before = psutil.Process().memory_info().rss
    for _ in range(count):
        stream = mutated(good, chance)
        with suppress(FramingBroken):
            read(stream, chance.randrange(len(stream)))
    assert psutil.Process().memory_info().rss - before < 64 << 20
