"""What the relay knows of the call that runs, and of the one that waits for its payload."""

from __future__ import annotations

from dataclasses import dataclass, field

from toolwright_agent.frames import FrameType

FLOOD_FACTOR = 8
"""A stream may carry this many times its cap before the call is ended; up to there the excess is dropped."""


@dataclass(frozen=True)
class Spare:
    """A process that gave up its rights and waits to be the next call, with the ends of its pipes."""

    uid: int
    payload_fd: int
    result_fd: int
    stdout_fd: int
    stderr_fd: int


@dataclass
class Stream:
    """One stream of output: forwarded up to its cap, counted beyond it."""

    fd: int
    kind: FrameType
    cap: int
    ours: int = 0
    """Bytes still to come that are for the relay alone."""
    total: int = 0

    def take(self, data: bytes) -> bytes:
        """Count `data` and return the part to forward."""
        if self.ours:
            self.ours, data = max(0, self.ours - len(data)), data[self.ours :]
        room = max(0, self.cap - self.total)
        self.total += len(data)
        return data[:room]

    @property
    def flooded(self) -> bool:
        """Whether so much came that the call has to end."""
        return self.total > self.cap * FLOOD_FACTOR


@dataclass
class Call:
    """The call that runs now."""

    id: int
    uid: int
    payload: memoryview
    payload_fd: int
    streams: dict[int, Stream]
    started: float
    due: float
    """When we end it ourselves."""
    memory_bytes: int
    """What its processes may hold together."""
    yields: bool = False
    """Whether it was given the lowest priority."""
    flooded: bool = False
    doomed: bool = False
    """It has to end. The process may not bear its uid yet, so it is killed until it has ended."""
    cut_off: bool = False
    """The controller or the clock ended it, while it still ran."""
    starved: bool = False
    """Ended by us for its memory, where no memory cgroup does it."""
    looked: float = 0.0
    """When its memory was looked at last."""
    ended: tuple[int, float, float, int] | None = None
    pending: bytearray = field(default_factory=bytearray)
    pending_since: float = 0.0
