"""What a pool tells of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Counts since the pool was opened."""

    idle_hits: int = 0
    """Calls that found a container of their own key idle."""
    blank_hits: int = 0
    """Calls that found a blank container ready."""
    waited: int = 0
    """Calls that were served after they had waited."""
    evicted: int = 0
    """Idle containers that made room for another key."""
    expired: int = 0
    """Containers removed since nobody had used them for long."""
    refused: int = 0
    """Calls sent away since the queue was full, or their time in it was over."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at one moment."""

    blank: int
    """Containers that never served and are ready."""
    idle: int
    """Containers that belong to a key and wait for its next call."""
    leased: int
    starting: int
    ending: int
    """Containers being removed, or still to be."""
    waiting: int
    """Calls in the queue."""
    wanted: int
    """Blank containers that the demand asks for."""
    arrivals_per_s: float
    """Calls that took a blank container, a second."""
    departures_per_s: float
    """Calls that left the queue served, a second."""
    start_s: float
    """Mean time of a start, in seconds; 0 if there was none."""
    places: int
    """Containers that there may be."""
    bound_by: str
    """What bounds them: `max_containers` or `memory`."""
    shortage: str
    """Why none is started just now for want of memory; empty if one may be."""
    idle_hits: int
    blank_hits: int
    waited: int
    evicted: int
    expired: int
    refused: int
