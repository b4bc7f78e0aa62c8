"""The frame format on the channel to a container: our half of `toolwright_agent.frames`.

What arrives is hostile, the agent's words included: every length is checked before anything is kept.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

PROTOCOL_VERSION = 1
MAGIC = b"TWFR"
HEADER = struct.Struct(">4sBBHQI")
"""Magic, protocol version, frame type, zero, call id (random, ours), body length."""


class FrameType(IntEnum):
    """What a frame is for; see the agent's list."""

    CALL = 1
    KILL = 2
    HELLO = 16
    STARTED = 17
    STDOUT = 18
    STDERR = 19
    RESULT = 20
    EXITED = 21


MAX_BODY = {
    FrameType.HELLO: 4_096,
    FrameType.STARTED: 0,
    FrameType.STDOUT: 65_536,
    FrameType.STDERR: 65_536,
    FrameType.RESULT: 65_536,
    FrameType.EXITED: 4_096,
}
"""Bytes that a frame from the agent may carry; a type that is not here is not the agent's to send."""


class FramingBroken(Exception):
    """The bytes from a container are no frames. Its container is thrown away."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame from the agent."""

    kind: FrameType
    call_id: int
    body: bytes


def pack(kind: FrameType, call_id: int, *parts: bytes) -> bytes:
    """Return one frame with `parts` joined as its body."""
    return b"".join((HEADER.pack(MAGIC, PROTOCOL_VERSION, kind, 0, call_id, sum(map(len, parts))), *parts))


class FrameDecoder:
    """Turns bytes, in pieces of any size, into frames. Holds at most one frame and one piece."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Add `data` and return the frames that are complete.

        Raises:
            FramingBroken: a header is wrong; refused before its body is waited for.
        """
        self._buffer += data
        frames = []
        while len(self._buffer) >= HEADER.size:
            kind, call_id, length = self._header()
            end = HEADER.size + length
            if len(self._buffer) < end:
                break
            frames.append(Frame(kind, call_id, bytes(self._buffer[HEADER.size : end])))
            del self._buffer[:end]
        return frames

    @property
    def empty(self) -> bool:
        """Whether no part of a frame is waiting."""
        return not self._buffer

    def _header(self) -> tuple[FrameType, int, int]:
        magic, version, number, zero, call_id, length = HEADER.unpack_from(self._buffer)
        if magic != MAGIC or zero:
            raise FramingBroken("no frame header where one has to be")
        if version != PROTOCOL_VERSION:
            raise FramingBroken(f"frame of protocol version {version}, not {PROTOCOL_VERSION}; rebuild the image")
        try:
            kind = FrameType(number)
            cap = MAX_BODY[kind]
        except (ValueError, KeyError):
            raise FramingBroken(f"frame of type {number}") from None
        if length > cap:
            raise FramingBroken(f"{kind.name} frame of {length} bytes, more than {cap}")
        return kind, call_id, length


class MuxDecoder:
    """Takes Docker's stream multiplexing off an attach stream: 8-byte headers before each piece.

    What the container writes to its stderr is not part of the channel; the last of it is kept for diagnosis.
    """

    _HEADER = struct.Struct(">BxxxI")
    _STDOUT, _STDERR = 1, 2
    KEPT_STDERR = 4_096

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._stream = 0
        self._left = 0
        self.stderr = b""

    def feed(self, data: bytes) -> bytes:
        """Add `data` and return what of it came from the container's stdout.

        Raises:
            FramingBroken: a header names no stream. Only a fault of the engine's does that.
        """
        self._buffer += data
        stdout = bytearray()
        while self._buffer:
            if not self._left:
                if len(self._buffer) < self._HEADER.size:
                    break
                self._stream, self._left = self._HEADER.unpack_from(self._buffer)
                if self._stream not in {self._STDOUT, self._STDERR}:
                    raise FramingBroken(f"attach stream number {self._stream}")
                del self._buffer[: self._HEADER.size]
            piece = bytes(self._buffer[: self._left])
            del self._buffer[: len(piece)]
            self._left -= len(piece)
            if self._stream == self._STDOUT:
                stdout += piece
            else:
                self.stderr = (self.stderr + piece)[-self.KEPT_STDERR :]
        return bytes(stdout)
