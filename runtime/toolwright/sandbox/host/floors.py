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


_COPY_FAIL = ("CVE-2026-31431",)
"""Page cache of any readable file, an image's layers among them, can be written through AF_ALG sockets and splice."""

FLOORS: dict[str, Sequence[Floor]] = {
    "runc": (
        Floor((1, 2, 0), (1, 2, 8), ("CVE-2024-21626", "CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881")),
        Floor((1, 3, 0), (1, 3, 6), ("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881", "CVE-2026-41579")),
        Floor((1, 4, 0), (1, 4, 4), ("CVE-2026-41579", "CVE-2026-119101")),
    ),
    "crun": (Floor((1, 30, 0), (1, 30, 0), ("CVE-2026-84042", "CVE-2026-88264", "CVE-2026-88265")),),
    "dockerd": (Floor((29, 0, 0), (29, 5, 1), ("CVE-2026-41567",)),),
    # Lines that ended before the fix have that of the next one as their floor. Below 6.6 it is for distributions to say
    # what they have fixed: an operator who knows names the advisory in `accepted_risks`.
    "kernel": (
        Floor((6, 6, 0), (6, 6, 137), _COPY_FAIL),
        Floor((6, 7, 0), (6, 12, 85), _COPY_FAIL),
        Floor((6, 13, 0), (6, 18, 22), _COPY_FAIL),
        Floor((6, 19, 0), (6, 19, 12), _COPY_FAIL),
        Floor((7, 0, 0), (7, 0, 0), _COPY_FAIL),
    ),
}
ADVISORIES = frozenset(name for lines in FLOORS.values() for floor in lines for name in floor.advisories)
"""All that a floor stands for."""


def is_version(text: str) -> bool:
    """Whether `text` holds a version that can be compared."""
    return _numbers(text) is not None


def floor_above(component: str, version: str) -> Floor | None:
    """Return the floor of `component` if `version` is older than it; None if it is not, or nothing is known."""
    lines, numbers = FLOORS.get(component), _numbers(version)
    if not lines or numbers is None:
        return None
    floor = next((floor for floor in reversed(lines) if numbers >= floor.line), lines[0])
    return None if numbers >= floor.fixed else floor


def _numbers(version: str) -> _Numbers | None:
    match = _VERSION.search(version)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None
