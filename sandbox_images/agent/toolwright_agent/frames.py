"""The frame format on the channel to the controller. `toolwright.sandbox.frames` is its other half."""

from __future__ import annotations

import struct
from enum import IntEnum

MAGIC = b"TWFR"
HEADER = struct.Struct(">4sBBHQI")
"""Magic, protocol version, frame type, zero, call id (random, chosen by the controller), body length."""

MAX_BODY = 4 * 1024 * 1024
CHUNK = 65_536


class FrameType(IntEnum):
    """What a frame is for."""

    CALL = 1
    """Controller: run this. Body: header length, JSON header for the relay, payload for the call."""
    KILL = 2
    """Controller: end the call of this id now. Ignored when it is not running."""
    HELLO = 16
    """Agent: ready. Body: JSON."""
    STARTED = 17
    """Agent: the process of the call runs."""
    STDOUT = 18
    STDERR = 19
    RESULT = 20
    """Agent: bytes that the call wrote, as they came."""
    EXITED = 21
    """Agent: the call and everything it started is gone. Body: JSON."""


_FROM_CONTROLLER = (FrameType.CALL, FrameType.KILL)


class FramingBroken(Exception):
    """The bytes are no frames. Nothing after them can be trusted."""


def pack(version: int, kind: FrameType, call_id: int, body: bytes = b"") -> bytes:
    """Return one frame."""
    return HEADER.pack(MAGIC, version, kind, 0, call_id, len(body)) + body


class FrameReader:
    """Turns bytes, in pieces of any size, into frames."""

    def __init__(self, version: int) -> None:
        """Accept frames of `version` only."""
        self._version = version
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[FrameType, int, bytes]]:
        """Add `data` and return the frames that are complete: (type, call id, body).

        Raises:
            FramingBroken: the header is wrong.
        """
        self._buffer += data
        frames = []
        while len(self._buffer) >= HEADER.size:
            magic, version, kind, zero, call_id, length = HEADER.unpack_from(self._buffer)
            if magic != MAGIC or version != self._version or zero or length > MAX_BODY:
                raise FramingBroken("bad frame header")
            if kind not in _FROM_CONTROLLER:
                raise FramingBroken(f"frame of type {kind}")
            end = HEADER.size + length
            if len(self._buffer) < end:
                break
            frames.append((FrameType(kind), call_id, bytes(self._buffer[HEADER.size : end])))
            del self._buffer[:end]
        return frames

    def wipe(self) -> None:
        """Forget what is buffered."""
        self._buffer = bytearray()
