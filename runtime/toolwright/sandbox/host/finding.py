"""One thing that was looked at, and how grave it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    value: str
    ok: bool = True
    essential: bool = True
    """Whether it is an error where it is not `ok`; else it is a warning."""
    advice: str = ""
    advisories: tuple[str, ...] = ()
    """Known faults that are the reason for it."""
    production_only: bool = False
    """Whether tools could run all the same: an error by the production profile alone."""

    @property
    def unfit(self) -> bool:
        """Whether it is an error."""
        return self.essential and not self.ok
