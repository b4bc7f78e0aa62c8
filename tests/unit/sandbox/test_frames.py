"""Bytes from a container become frames or are refused; nothing beyond a cap is ever kept."""

from __future__ import annotations

import gzip
import itertools
import pickle
import struct
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toolwright.sandbox.frames import (
    HEADER,
    MAGIC,
    MAX_BODY,
    PROTOCOL_VERSION,
    Frame,
    FrameDecoder,
    FrameType,
    FramingBroken,
    MuxDecoder,
    pack,
)

pytestmark = pytest.mark.unit

FROM_AGENT = sorted(MAX_BODY)
bodies = st.tuples(st.sampled_from(FROM_AGENT), st.integers(0, 2**64 - 1), st.binary(max_size=300)).map(
    lambda parts: Frame(parts[0], parts[1], parts[2][: MAX_BODY[parts[0]]])
)


def header(
    *, magic: bytes = MAGIC, version: int = PROTOCOL_VERSION, kind: int = 18, zero: int = 0, length: int = 0
) -> bytes:
    """Return a header with one thing wrong."""
    return HEADER.pack(magic, version, kind, zero, 7, length)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return `data` in pieces, cut at `places`."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


def mux(stream: int, piece: bytes) -> bytes:
    """Return a piece as Docker sends it on an attach stream."""
    return struct.pack(">BxxxI", stream, len(piece)) + piece


@given(st.lists(bodies, max_size=5), st.lists(st.integers(0, 10_000), max_size=30))
def test_frames_come_out_as_they_went_in_however_they_are_cut(frames: list[Frame], places: list[int]) -> None:
    """Any sequence of frames, in pieces of any size, is read back whole and leaves nothing."""
    decoder = FrameDecoder()
    data = b"".join(pack(frame.kind, frame.call_id, frame.body) for frame in frames)

    read = [frame for piece in cut(data, places) for frame in decoder.feed(piece)]

    assert read == frames
    assert decoder.empty


@pytest.mark.case("FT-20")
def test_two_frames_split_at_every_byte() -> None:
    """FT-20: wherever the cut falls, the first frame comes when it is whole and not before."""
    first, second = Frame(FrameType.STDOUT, 1, b"one"), Frame(FrameType.RESULT, 1, b"two")
    data = pack(first.kind, 1, first.body) + pack(second.kind, 1, second.body)

    for place in range(len(data) + 1):
        decoder = FrameDecoder()
        early, late = decoder.feed(data[:place]), decoder.feed(data[place:])
        assert early + late == [first, second]
        assert len(early) == (place >= HEADER.size + 3) + (place == len(data))
        assert decoder.empty


@pytest.mark.case("PR-08")
@pytest.mark.parametrize("kind", FROM_AGENT)
def test_each_type_takes_its_cap_and_not_a_byte_more(kind: FrameType) -> None:
    """PR-08: a body of exactly the cap is a frame; one byte more is refused."""
    cap = MAX_BODY[kind]

    assert FrameDecoder().feed(pack(kind, 1, bytes(cap))) == [Frame(kind, 1, bytes(cap))]
    with pytest.raises(FramingBroken, match=f"{cap + 1} bytes, more than {cap}"):
        FrameDecoder().feed(header(kind=kind, length=cap + 1))


@pytest.mark.case("PR-08")
@pytest.mark.parametrize("length", [65_537, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_huge_length_is_refused_from_the_header_alone(length: int) -> None:
    """PR-08: no body is waited for, and nothing of that size is allocated."""
    decoder = FrameDecoder()
    tracemalloc.start()
    with pytest.raises(FramingBroken):
        decoder.feed(header(length=length))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 65_536


BAD_HEADERS = {
    "other magic": header(magic=b"TWFX"),
    "older version": header(version=0),
    "newer version": header(version=2),
    "bits where zero has to be": header(zero=1),
    "type nobody has": header(kind=0),
    "type beyond all": header(kind=255),
    "a controller's CALL": header(kind=FrameType.CALL),
    "a controller's KILL": header(kind=FrameType.KILL),
    "a pickle": pickle.dumps({"a": list(range(9))}, 2),
    "a zipped frame": gzip.compress(header()),
    "HTTP": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "zeros": bytes(HEADER.size),
}


@pytest.mark.case("PR-34", "PR-39", "FT-20")
@pytest.mark.parametrize("name", BAD_HEADERS)
def test_a_bad_header_is_refused_before_its_body(name: str) -> None:
    """PR-34, PR-39, FT-20: what is no frame of this protocol is refused at its header's last byte."""
    data = BAD_HEADERS[name]
    decoder = FrameDecoder()

    assert decoder.feed(data[: HEADER.size - 1]) == []
    with pytest.raises(FramingBroken):
        decoder.feed(data[HEADER.size - 1 : HEADER.size])


def test_a_bad_frame_after_a_good_one_is_refused_as_well() -> None:
    """Good beginnings buy nothing: the piece that holds a bad header raises."""
    with pytest.raises(FramingBroken):
        FrameDecoder().feed(pack(FrameType.STARTED, 1) + header(kind=99))


@pytest.mark.case("PR-42")
@settings(max_examples=600, deadline=None)
@given(st.binary(max_size=400), st.lists(bodies, max_size=3), st.lists(st.integers(0, 700), max_size=8), st.data())
@example(b"TWFR", [], [], None)
def test_mutated_streams_raise_nothing_else(
    garbage: bytes, frames: list[Frame], places: list[int], data: st.DataObject | None
) -> None:
    """PR-42: whatever comes, it is frames or `FramingBroken`, and each frame is within its cap."""
    stream = bytearray(b"".join(pack(frame.kind, frame.call_id, frame.body) for frame in frames))
    if data is not None:
        place = data.draw(st.integers(0, len(stream)))
        stream[place : place + data.draw(st.integers(0, 20))] = garbage
    decoder = FrameDecoder()
    read: list[Frame] = []
    with suppress(FramingBroken):
        for piece in cut(bytes(stream), places):
            read += decoder.feed(piece)

    assert all(len(frame.body) <= MAX_BODY[frame.kind] for frame in read)


def test_a_drip_of_single_bytes_is_read_in_linear_time() -> None:
    """A frame of the largest size in single bytes keeps one frame at most and copies nothing twice."""
    decoder = FrameDecoder()
    data = pack(FrameType.RESULT, 1, bytes(65_536))
    frames = [frame for index in range(len(data)) for frame in decoder.feed(data[index : index + 1])]

    assert frames == [Frame(FrameType.RESULT, 1, bytes(65_536))]


# --- Docker's multiplexing ------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=8), st.lists(st.integers(0, 999)))
def test_streams_are_told_apart_however_they_are_cut(pieces: list[tuple[int, bytes]], places: list[int]) -> None:
    """Only stdout is the channel; stderr never gets into it."""
    decoder = MuxDecoder()
    data = b"".join(mux(stream, piece) for stream, piece in pieces)

    out = b"".join(decoder.feed(part) for part in cut(data, places))

    assert out == b"".join(piece for stream, piece in pieces if stream == 1)
    assert decoder.stderr == b"".join(piece for stream, piece in pieces if stream == 2)


@pytest.mark.case("FT-20")
def test_a_mux_header_split_at_every_byte() -> None:
    """FT-20: the eight bytes before a piece may come in any two parts, and an empty piece is none."""
    data = mux(1, b"abc") + mux(2, b"oops") + mux(1, b"") + mux(1, b"def")

    for place in range(len(data) + 1):
        decoder = MuxDecoder()
        assert decoder.feed(data[:place]) + decoder.feed(data[place:]) == b"abcdef"
        assert decoder.stderr == b"oops"


@pytest.mark.case("FT-20")
@pytest.mark.parametrize("stream", [0, 3, 255])
def test_a_stream_of_another_number_is_refused(stream: int) -> None:
    """FT-20: Docker's stdin echo or system error streams are no part of the channel."""
    with pytest.raises(FramingBroken, match=str(stream)):
        MuxDecoder().feed(mux(stream, b"x"))


def test_only_the_end_of_stderr_is_kept() -> None:
    """A container that floods its stderr takes no memory of the server's."""
    decoder = MuxDecoder()
    for number in range(200):
        decoder.feed(mux(2, bytes([number]) * 1_000))

    assert len(decoder.stderr) == MuxDecoder.KEPT_STDERR
    assert decoder.stderr.endswith(bytes([199]) * 1_000)


def test_a_huge_announced_piece_is_not_waited_for_in_memory() -> None:
    """A mux header of 4 GiB allocates nothing; its bytes pass through as they come."""
    decoder = MuxDecoder()

    assert decoder.feed(struct.pack(">BxxxI", 1, 2**32 - 1) + b"abc") == b"abc"
    assert decoder.feed(b"def") == b"def"
