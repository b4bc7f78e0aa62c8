"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass

_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: which layer it tries, what has to be, and what was."""

    layer: str
    check: str
    expected: str
    found: str
    holds: bool
    """Whether it is exactly as it has to be. Better is not better: it says that the check saw something else."""


def compare(layer: str, check: str, expected: object, found: object) -> Finding:
    """Return the finding of one comparison: of type as well as value. A sandbox may say anything, so texts are cut."""
    wanted, seen = repr(expected), repr(found)
    return Finding(layer, check, wanted[:_SHOWN], seen[:_SHOWN], holds=wanted == seen)
