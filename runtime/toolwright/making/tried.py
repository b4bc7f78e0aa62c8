"""One attempt that was made: what is kept of it, and what a round chooses by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from toolwright.domain.record import Stage
from toolwright.llm.ledger import Meter
from toolwright.making.heard import HeardModel
from toolwright.making.judge import Verified
from toolwright.making.verdict import Refusal

_STAGES = tuple(Stage)


@dataclass(slots=True)
class AttemptNotes:
    """What is known of an attempt so far; kept when it ends, however that comes about."""

    prompt: str = "[]"
    reply: str = ""
    source: str = ""
    stage: Stage = Stage.PROPOSE
    accepted: bool = False
    verdict: str = ""


@dataclass(slots=True)
class Tried:
    """One attempt. Its verdict is None as long as it is under way."""

    number: int
    meter: Meter
    """Of its own exchanges."""
    user: HeardModel
    """The light model, as it calls this candidate."""
    notes: AttemptNotes = field(default_factory=AttemptNotes)
    verdict: Verified | Refusal | None = None
    passed: int = 0
    """Examples that it answered rightly."""

    @property
    def verified(self) -> Verified | None:
        """The tool, if it passed."""
        return self.verdict if isinstance(self.verdict, Verified) else None


def best_passed(tried: Sequence[Tried], milliseconds: Callable[[Verified], float]) -> tuple[Tried, Verified] | None:
    """Return the best of those that passed; None if none did. The same ones give the same choice in any order.

    Held-out examples answered come first, then how rarely the light model needed a second try, then time (in steps of
    two, so that no noise decides), then how short the code is; then who came first.

    Args:
        tried: the attempts of one round.
        milliseconds: how long a call of such a tool takes.
    """
    passed = [(one, verified) for one in tried if (verified := one.verified)]

    def rank(pair: tuple[Tried, Verified]) -> tuple[float, ...]:
        one, verified = pair
        step = _step(milliseconds(verified))
        return (-_share(verified), one.user.repairs, step, *_size(one.notes.source), one.number)

    return min(passed, key=rank, default=None)


def best_refused(tried: Sequence[Tried]) -> tuple[Tried, Refusal] | None:
    """Return the refused attempt that came furthest, whose feedback is worth most; None if none was refused."""
    refused = [(one, one.verdict) for one in tried if isinstance(one.verdict, Refusal)]

    def rank(pair: tuple[Tried, Refusal]) -> tuple[float, ...]:
        one, refusal = pair
        return (-_STAGES.index(refusal.stage), -one.passed, *_size(one.notes.source), one.number)

    return min(refused, key=rank, default=None)


def _share(verified: Verified) -> float:
    held_out = [check.passed for check in verified.record.checks if check.held_out]
    return sum(held_out) / len(held_out) if held_out else 0.0


def _step(milliseconds: float) -> int:
    return int(milliseconds // _EQUAL_MS).bit_length()


_EQUAL_MS = 100.0
"""Calls faster than this are equally fast: nobody waits for the difference."""


def _size(code: str) -> tuple[int, int]:
    """Return bytes and lines of `code`, comments on lines of their own and empty lines left out."""
    lines = [line.strip() for line in code.splitlines()]
    said = [line for line in lines if line and not line.startswith("#")]
    return sum(len(line.encode("utf-8", "surrogatepass")) for line in said), len(said)
