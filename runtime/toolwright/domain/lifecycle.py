"""The life of a version: which states follow which, what is kept of each change, what names point at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from toolwright.domain.tool import ToolState
from toolwright.errors import InvalidInput, NotReady

STABLE: Final = "stable"
"""The alias that a plain name means, where it is set."""
CANARY: Final = "canary"
"""The alias that a share of the calls of a plain name goes to."""
UNKNOWN_ACTOR: Final = "unknown"
"""Who acted, where nobody said so."""
POLICY_ACTOR: Final = "policy"
"""Who holds versions back, and verifies them again, by the settings of feedback."""
MAX_ACTOR_CHARS: Final = 200
MAX_REASON_CHARS: Final = 4_000

TRANSITIONS: Final[Mapping[ToolState, tuple[ToolState, ...]]] = {
    ToolState.DRAFT: (ToolState.VERIFIED, ToolState.RETIRED),
    ToolState.VERIFIED: (ToolState.ACTIVE, ToolState.QUARANTINED, ToolState.RETIRED),
    ToolState.ACTIVE: (ToolState.QUARANTINED, ToolState.RETIRED),
    # Verified again, it waits for approval where the policy wants one; else it is active at once.
    ToolState.QUARANTINED: (ToolState.VERIFIED, ToolState.ACTIVE, ToolState.RETIRED),
    ToolState.RETIRED: (),
}
"""What each state may become. The only table of this kind."""

_ALIAS = re.compile(r"[a-z][a-z0-9_]{0,63}\Z", re.ASCII)
# They would promise what an alias does not do.
_NO_ALIAS = frozenset({"latest", "newest", "none", "unknown"})


class Approval(StrEnum):
    """What it takes, beyond a verification record, until a version is active."""

    AUTOMATIC = "automatic"
    """Nothing."""
    REQUIRED = "required"
    """A person."""
    TWO_PERSONS = "two_persons"
    """Two persons, none of whom brought the version."""

    @property
    def persons(self) -> int:
        """How many have to approve a version that waits; one releases a version even where none is required."""
        return 2 if self is Approval.TWO_PERSONS else 1

    @property
    def first_state(self) -> ToolState:
        """The state of a version that was just verified."""
        return ToolState.ACTIVE if self is Approval.AUTOMATIC else ToolState.VERIFIED


class EventKind(StrEnum):
    """What happened to a tool."""

    ADMITTED = "admitted"
    """A version was verified and kept."""
    STATE = "state"
    """A version's state changed."""
    APPROVED = "approved"
    """A person approved a version. What that did to its state is an event of its own."""
    VERIFIED = "verified"
    """A version that was there was verified again, and has a new record."""
    ALIAS = "alias"
    """An alias was set, or removed."""
    ROLLBACK = "rollback"
    """`stable` went back to what it pointed at before."""


@dataclass(frozen=True, slots=True)
class ToolEvent:
    """One thing that happened to a tool: who, why, when. Kept for good."""

    at: float
    """Seconds since 1970, UTC."""
    name: str
    number: int
    """Version that it happened to; of an alias, the one it points at now, 0 if it was removed."""
    digest: str
    """Of that version; empty for an alias that was removed."""
    kind: EventKind
    actor: str = UNKNOWN_ACTOR
    """Who said that they did it. Nobody has checked that."""
    reason: str = ""
    from_state: ToolState | None = None
    to_state: ToolState | None = None
    alias: str = ""
    from_number: int | None = None
    """What the alias pointed at before; None if it was not set."""
    share: float = 0.0
    """Of calls, that go to the alias `canary`."""
    event_id: int = 0
    """Rises from event to event of a registry."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version comes from."""

    actor: str = UNKNOWN_ACTOR
    """Who brought it. Nobody has checked that."""
    reason: str = ""
    """What else is to be said of that."""


NO_ORIGIN: Final = Origin()


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a version of a tool: `tool@alias`."""

    name: str
    """Of the tool."""
    alias: str
    number: int
    """The version."""
    share: float = 0.0
    """Of the calls of the plain name, 0 to 1, that go there. For `canary` alone."""


def check_change(reference: str, state: ToolState, to: ToolState, expected: ToolState | None = None) -> None:
    """Let a version go from `state` to `to` if it may, and if its state is what was `expected`.

    Raises:
        NotReady: names the state and what is possible.
    """
    if expected is not None and state is not expected:
        raise NotReady(f"{reference} is {state.value} and not {expected.value} any more; look at it again")
    if to not in TRANSITIONS[state]:
        possible = " or ".join(one.value for one in TRANSITIONS[state])
        rest = f"it can become {possible}" if possible else "that is for good; make or register a new version"
        raise NotReady(f"{reference} is {state.value} and cannot become {to.value}; {rest}")


def check_alias(alias: str, field: str = "alias") -> str:
    """Return `alias` if an alias may be called so.

    Raises:
        InvalidInput: it is no lower-case identifier of 1 to 64 characters, or a word that promises something else.
    """
    if not _ALIAS.match(alias) or alias in _NO_ALIAS:
        raise InvalidInput(
            field,
            f"{alias[:80]!r} is not a usable alias",
            f"1 to 64 of a-z, 0-9 and _, starting with a letter, but not {', '.join(sorted(_NO_ALIAS))}",
        )
    return alias


def check_approver(reference: str, actor: str, events: Sequence[ToolEvent], persons: int) -> int:
    """Let `actor` approve a version to which `events` happened; return how many have approved it then.

    Only what was approved since its state last changed counts. Where it takes several `persons`, whoever brought the
    version is none of them.

    Raises:
        NotReady: they have approved it already, or brought it.
    """
    if persons > 1 and any(_same(event.actor, actor) for event in events if event.kind is EventKind.ADMITTED):
        raise NotReady(f"{actor!r} brought {reference}, so somebody else has to approve it")
    fresh: set[str] = set()
    for event in events:
        if event.kind in {EventKind.STATE, EventKind.VERIFIED}:
            fresh.clear()
        elif event.kind is EventKind.APPROVED:
            fresh.add(event.actor.casefold())
    if actor.casefold() in fresh:
        raise NotReady(f"{actor!r} has approved {reference} already; a second person has to")
    return len(fresh) + 1


def earlier_targets(events: Iterable[ToolEvent]) -> list[int]:
    """Return what `stable` pointed at before, last first, from all events of a tool in order."""
    stack: list[int] = []
    for event in events:
        if event.alias != STABLE:
            continue
        if event.kind is EventKind.ROLLBACK:
            while stack and stack[-1] != event.number:
                stack.pop()
        if not event.number:
            stack.clear()
        elif not stack or stack[-1] != event.number:
            stack.append(event.number)
    return stack[-2::-1]


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
