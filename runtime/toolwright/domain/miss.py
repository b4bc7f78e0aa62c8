"""Questions that no tool fits, and groups of those that are alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class GroupState(StrEnum):
    """How far a group of misses is on its way to a tool."""

    OPEN = "open"
    """Examples with answers are being collected."""
    MAKING = "making"
    MADE = "made"
    """A tool was kept: further questions of the kind are its."""
    UNMAKEABLE = "unmakeable"
    """The last making came to nothing. It is tried again after a time, with other examples where there are any."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A question that no tool fitted. The same question again only counts up."""

    miss_id: str
    tenant: str
    group_id: str
    question: str
    count: int
    """How often it was asked."""
    first_at: float
    """Seconds since 1970, UTC."""
    last_at: float
    answer: str = ""
    """Empty as long as nobody answered."""
    answered_by: str = ""
    """`strong model`, or who a person said to be."""
    answered_at: float = 0.0


@dataclass(frozen=True, slots=True)
class MissGroup:
    """Misses that are alike, and what became of them."""

    group_id: str
    tenant: str
    state: GroupState
    name: str
    """Of the tool that is wanted; empty until a making begins."""
    description: str
    created_at: float
    misses: int = 0
    """Different questions."""
    asked: int = 0
    """Questions, repeated ones counted each time."""
    answered: int = 0
    """Different questions that have an answer."""
    attempts: int = 0
    """Makings that came to an end."""
    failure: str = ""
    """Why the last making came to nothing."""
    not_before: float = 0.0
    """No making begins before this time."""
    tool: str = ""
    """`name@number` of what was made."""
    cost_usd: float = 0.0
    """What all makings cost."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is compared of a question: hashes of its word pairs, and its embedding where there is one."""

    hashes: frozenset[int]
    vector: bytes = b""
    """32-bit floats of length 1; empty if there is none."""
