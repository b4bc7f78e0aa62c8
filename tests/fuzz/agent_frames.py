"""Target: the agent's frame reader. Two bytes say where the rest is cut, which is what the agent hears."""

from __future__ import annotations

import struct
from typing import Any, Final

from toolwright_agent.frames import HEADER, MAGIC, MAX_BODY, FrameReader, FrameType, FramingBroken

_VERSION: Final = 1
_FROM_CONTROLLER: Final = {1, 2}

Frames = list[tuple[int, int, bytes]]


def check(data: bytes, make_reader: type[FrameReader] = FrameReader) -> None:
    """Read in two pieces: the frames of a plain reading, or `FramingBroken` where that finds a bad header.

    Raises:
        AssertionError: it is not so; or anything but `FramingBroken` came out.
    """
    if len(data) < 2:
        return
    (cut,), stream = struct.unpack_from(">H", data), data[2:]
    reader, wanted = make_reader(_VERSION), reference(stream)
    read: list[tuple[FrameType, int, bytes]] = []
    try:
        for piece in (stream[:cut], stream[cut:]):
            read += reader.feed(piece)
    except FramingBroken:
        assert wanted is None, f"{stream!r} is {wanted}"
        return
    assert [(int(kind), call_id, body) for kind, call_id, body in read] == wanted


def reference(stream: bytes) -> Frames | None:
    """Return the frames of `stream`; None if one of its headers is bad."""
    frames: Frames = []
    while len(stream) >= HEADER.size:
        fields: tuple[Any, ...] = HEADER.unpack_from(stream)
        magic, version, kind, zero, call_id, length = fields
        if (magic, version, zero) != (MAGIC, _VERSION, 0) or kind not in _FROM_CONTROLLER or length > MAX_BODY:
            return None
        if len(stream) < HEADER.size + length:
            break
        frames.append((kind, call_id, stream[HEADER.size : HEADER.size + length]))
        stream = stream[HEADER.size + length :]
    return frames
