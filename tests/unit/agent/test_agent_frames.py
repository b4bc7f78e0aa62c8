"""Both halves of the protocol, the agent's and the controller's, agree byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolwright_agent
from toolwright.domain import json_rules
from toolwright.domain.limits import Limits
from toolwright.images.recipe import load_recipe
from toolwright.sandbox import container, payload, transcript
from toolwright.sandbox import frames as ours
from toolwright_agent import call, child, frames, program, relay

pytestmark = pytest.mark.unit

AGENTS = sorted(ours.MAX_BODY)


def test_version_magic_and_header_are_the_same() -> None:
    """And the image says which version its agent speaks."""
    assert toolwright_agent.PROTOCOL_VERSION == ours.PROTOCOL_VERSION == load_recipe("python").agent_protocol
    assert (frames.MAGIC, frames.HEADER.format) == (ours.MAGIC, ours.HEADER.format)


def test_every_type_has_one_number() -> None:
    """Names and numbers of both lists are the same."""
    assert {kind.name: kind.value for kind in frames.FrameType} == {kind.name: kind.value for kind in ours.FrameType}


def test_the_forms_within_frames_are_the_same() -> None:
    """Call header, payload, result header, the byte that says "confined", and the kinds of results."""
    assert relay.CALL_HEADER.format == container._CALL_HEADER.format
    assert program.PAYLOAD.format == payload.PAYLOAD.format
    assert program.RESULT.format == transcript.RESULT_HEADER.format
    assert child.CONFINED == transcript.CONFINED
    assert {kind.name: kind.value for kind in program.Kind} == {one.name: one.value for one in transcript.ResultKind}


def test_the_bounds_on_results_are_the_same() -> None:
    """The agent refuses with the better message what the controller would refuse anyway."""
    assert program.MAX_DEPTH == json_rules.MAX_DEPTH
    assert program.MAX_ITEMS == json_rules.MAX_ITEMS
    assert program.MAX_DIGITS == json_rules.MAX_NUMBER_CHARS
    assert min(ours.MAX_BODY[kind] for kind in (18, 19, 20)) >= frames.CHUNK  # type: ignore[index]  # numbers of enum


@given(st.sampled_from(AGENTS), st.integers(0, 2**64 - 1), st.binary(max_size=4_096))
def test_what_the_agent_packs_we_read(kind: ours.FrameType, call_id: int, body: bytes) -> None:
    """Byte for byte what we would have packed ourselves."""
    body = body[: ours.MAX_BODY[kind]]
    sent = frames.pack(1, frames.FrameType(kind.value), call_id, body)

    assert sent == ours.pack(kind, call_id, body)
    assert ours.FrameDecoder().feed(sent) == [ours.Frame(kind, call_id, body)]


@given(st.integers(0, 2**64 - 1), st.binary(max_size=500), st.integers(0, 600))
def test_what_we_pack_the_agent_reads(call_id: int, body: bytes, place: int) -> None:
    """Calls and kills, cut anywhere."""
    sent = ours.pack(ours.FrameType.CALL, call_id, body) + ours.pack(ours.FrameType.KILL, call_id)
    reader = frames.FrameReader(1)

    read = reader.feed(sent[:place]) + reader.feed(sent[place:])

    assert read == [(frames.FrameType.CALL, call_id, body), (frames.FrameType.KILL, call_id, b"")]


@pytest.mark.parametrize(
    "header",
    [
        frames.HEADER.pack(b"TWFX", 1, 1, 0, 1, 0),
        frames.HEADER.pack(b"TWFR", 2, 1, 0, 1, 0),
        frames.HEADER.pack(b"TWFR", 1, 1, 7, 1, 0),
        frames.HEADER.pack(b"TWFR", 1, 99, 0, 1, 0),
        frames.HEADER.pack(b"TWFR", 1, frames.FrameType.HELLO, 0, 1, 0),
        frames.HEADER.pack(b"TWFR", 1, 1, 0, 1, frames.MAX_BODY + 1),
        frames.HEADER.pack(b"TWFR", 1, 1, 0, 1, 2**32 - 1),
    ],
)
def test_the_agent_refuses_bad_headers_as_well(header: bytes) -> None:
    """It trusts its controller no further than it has to."""
    with pytest.raises(frames.FramingBroken):
        frames.FrameReader(1).feed(header)


def test_the_largest_call_fits() -> None:
    """Source and arguments of the largest size, with their headers, are within the agent's bound."""
    from toolwright.domain.call import MAX_ARGUMENTS_BYTES  # noqa: PLC0415 - only here
    from toolwright.domain.source import MAX_SOURCE_BYTES  # noqa: PLC0415 - only here

    assert MAX_ARGUMENTS_BYTES + MAX_SOURCE_BYTES + 8_192 < frames.MAX_BODY


def test_a_wiped_reader_holds_nothing() -> None:
    """Bytes of one call do not stay for the next."""
    reader = frames.FrameReader(1)
    reader.feed(ours.pack(ours.FrameType.KILL, 1)[:-3])
    reader.wipe()

    assert reader.feed(ours.pack(ours.FrameType.KILL, 2)) == [(frames.FrameType.KILL, 2, b"")]


# --- caps of a stream -------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=30), max_size=20), st.integers(1, 50))
def test_a_stream_forwards_its_cap_and_counts_the_rest(pieces: list[bytes], cap: int) -> None:
    """The first bytes are kept, all are counted, and only far beyond the cap is it a flood."""
    stream = call.Stream(-1, frames.FrameType.STDOUT, cap)

    kept = b"".join(stream.take(piece) for piece in pieces)

    whole = b"".join(pieces)
    assert kept == whole[:cap]
    assert stream.total == len(whole)
    assert stream.flooded == (len(whole) > call.FLOOD_FACTOR * cap)


def test_both_sides_allow_a_result_the_same_room() -> None:
    """What the agent forwards at most is what the controller takes at most."""
    limits = Limits(result_bytes=5)
    stream = call.Stream(-1, frames.FrameType.RESULT, transcript.result_room(limits) + 64)
    heard = transcript.Transcript(1, limits)
    heard.add(ours.Frame(ours.FrameType.STARTED, 1, b""))

    while piece := stream.take(bytes(frames.CHUNK)):
        heard.add(ours.Frame(ours.FrameType.RESULT, 1, piece))
