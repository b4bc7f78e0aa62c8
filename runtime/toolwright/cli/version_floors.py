"""Versions below which known ways out of a container are open, by the upstream projects' own releases.

Distributions carry fixes back into older versions, so being below a floor is no proof of a hole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")

_Numbers = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Floor:
    """The first release of a line without the faults that are known."""

    line: _Numbers
    """Where the line of releases begins. The first line's floor is that of all older ones."""
    fixed: _Numbers
    advisories: tuple[str, ...]
    """What the release fixes: why it is the floor."""

    @property
    def version(self) -> str:
        """The release, as its project writes it."""
        return ".".join(map(str, self.fixed))


_FLOORS: dict[str, Sequence[Floor]] = {
    "runc": (
        Floor((1, 2, 0), (1, 2, 8), ("CVE-2024-21626", "CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881")),
        Floor((1, 3, 0), (1, 3, 6), ("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881", "CVE-2026-41579")),
        Floor((1, 4, 0), (1, 4, 4), ("CVE-2026-41579", "CVE-2026-119101")),
    ),
    "crun": (Floor((1, 30, 0), (1, 30, 0), ("CVE-2026-84042", "CVE-2026-88264", "CVE-2026-88265")),),
    "Engine": (Floor((29, 0, 0), (29, 5, 1), ("CVE-2026-41567",)),),
}


def floor_above(component: str, version: str) -> Floor | None:
    """Return the floor of `component` if `version` is older than it; None if it is not, or nothing is known."""
    lines, numbers = _FLOORS.get(component), _numbers(version)
    if not lines or numbers is None:
        return None
    floor = next((floor for floor in reversed(lines) if numbers >= floor.line), lines[0])
    return None if numbers >= floor.fixed else floor


def _numbers(version: str) -> _Numbers | None:
    match = _VERSION.search(version)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None
