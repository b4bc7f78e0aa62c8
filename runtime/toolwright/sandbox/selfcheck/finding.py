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

    @property
    def holds(self) -> bool:
        """Whether it is exactly as it has to be. Better is not better: it says that the check saw something else."""
        return self.expected == self.found


def compare(layer: str, check: str, expected: object, found: object) -> Finding:
    """Return the finding of one comparison; texts are cut, since a sandbox may say anything."""
    return Finding(layer, check, repr(expected)[:_SHOWN], repr(found)[:_SHOWN])
