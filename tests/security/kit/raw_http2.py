"""A caller who keeps to none of gRPC's manners: HTTP/2 by hand, with any header, and an end by TCP reset."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_STREAM: Final = 1
_END_STREAM: Final = 0x1
_END_HEADERS: Final = 0x4
_FRAME_BYTES: Final = 16_384
_PREFIX: Final = 127


class FrameKind(IntEnum):
    """Kinds of HTTP/2 frames that matter here."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    GOAWAY = 7
    CONTINUATION = 9


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it came."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def ends(self) -> bool:
        """Whether nothing more comes on the call's stream."""
        over = self.kind in {FrameKind.RST_STREAM, FrameKind.GOAWAY}
        return over or (self.kind in {FrameKind.DATA, FrameKind.HEADERS} and bool(self.flags & _END_STREAM))


class RawCaller:
    """One connection, good for one call."""

    def __init__(self, connection: socket.socket) -> None:
        """Speak over `connection`."""
        self._connection = connection
        self._connection.sendall(_PREFACE + _frame(FrameKind.SETTINGS, 0, 0, b""))

    def call(self, path: str, message: bytes, headers: Mapping[bytes, bytes]) -> None:
        """Begin a unary call of `path` with extra `headers`, which are sent as they are."""
        usual = {
            b":method": b"POST",
            b":scheme": b"http",
            b":path": path.encode(),
            b":authority": b"localhost",
            b"te": b"trailers",
            b"content-type": b"application/grpc",
        }
        block = b"".join(_header(name, value) for name, value in (usual | dict(headers)).items())
        first, *rest = [block[at : at + _FRAME_BYTES] for at in range(0, len(block), _FRAME_BYTES)]
        frames = [_frame(FrameKind.HEADERS, 0 if rest else _END_HEADERS, _STREAM, first)]
        for number, part in enumerate(rest, start=1):
            flags = _END_HEADERS if number == len(rest) else 0
            frames.append(_frame(FrameKind.CONTINUATION, flags, _STREAM, part))
        body = b"\x00" + struct.pack(">I", len(message)) + message
        frames.append(_frame(FrameKind.DATA, _END_STREAM, _STREAM, body))
        try:
            self._connection.sendall(b"".join(frames))
        except (BrokenPipeError, ConnectionResetError):
            return  # it hung up at the headers; what it said before can still be read

    def reply(self) -> list[Frame]:
        """Return the frames up to the end of the call, or of the connection."""
        frames: list[Frame] = []
        try:
            for frame in self._frames():
                frames.append(frame)
                if frame.ends:
                    break
        except (ConnectionResetError, TimeoutError):
            pass
        return frames

    def status(self) -> int | None:
        """Return the `grpc-status` that ends the call; None if it ended without one."""
        for frame in self.reply():
            if frame.kind == FrameKind.HEADERS and (at := frame.payload.find(b"grpc-status")) >= 0:
                length = frame.payload[at + len(b"grpc-status")]
                return int(frame.payload[at + len(b"grpc-status") + 1 :][:length])
        return None

    def reset(self) -> None:
        """Break the connection off as a crashed machine's would be."""
        # Lingering for 0 s means: reset, do not say goodbye.
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def _frames(self) -> Iterator[Frame]:
        while head := self._exactly(9):
            length = int.from_bytes(head[:3], "big")
            yield Frame(head[3], head[4], int.from_bytes(head[5:], "big"), self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (more := self._connection.recv(count - len(data))):
            data += more
        return data


@contextmanager
def raw_caller(address: str) -> Iterator[RawCaller]:
    """Connect to a server at `host:port`."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield RawCaller(connection)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _header(name: bytes, value: bytes) -> bytes:
    """Return a header as HPACK has it: literal, not indexed, not compressed."""
    return b"\x00" + _length(name) + name + _length(value) + value


def _length(text: bytes) -> bytes:
    left = len(text)
    if left < _PREFIX:
        return bytes((left,))
    encoded, left = [_PREFIX], left - _PREFIX
    while left >= 128:
        encoded.append(left % 128 + 128)
        left //= 128
    return bytes((*encoded, left))
