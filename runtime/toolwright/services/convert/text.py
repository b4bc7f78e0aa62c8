"""Texts and times that protobuf takes."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

_MICROSECONDS = 1_000_000


def wire_text(text: str) -> str:
    """Return `text` with U+FFFD in place of each lone surrogate (a surrogate pair becomes its character)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def time_to_wire(seconds: float) -> Timestamp:
    """Return seconds since 1970 as a Timestamp, to the microsecond: what a float of today's size holds."""
    stamp = Timestamp()
    stamp.FromMicroseconds(round(seconds * _MICROSECONDS))
    return stamp


def time_from_wire(stamp: Timestamp) -> float:
    """Return a Timestamp as seconds since 1970."""
    return (stamp.seconds * _MICROSECONDS + stamp.nanos // 1000) / _MICROSECONDS
