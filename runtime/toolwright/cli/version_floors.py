"""Versions below which known ways out of a container are open, by the upstream projects' own releases.

Distributions carry fixes back into older versions, so being below a floor is a warning, not a verdict.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")

_Numbers = tuple[int, int, int]

# Per release line, as (line's start, first fixed release); the first line is the floor of all older ones.
_FLOORS: dict[str, Sequence[tuple[_Numbers, _Numbers]]] = {
    # CVE-2024-21626, CVE-2025-31133, CVE-2025-52565, CVE-2025-52881, CVE-2026-41579, CVE-2026-119101
    "runc": (((1, 2, 0), (1, 2, 8)), ((1, 3, 0), (1, 3, 6)), ((1, 4, 0), (1, 4, 4))),
    # CVE-2026-84042, CVE-2026-88264, CVE-2026-88265
    "crun": (((1, 30, 0), (1, 30, 0)),),
    "Engine": (((29, 0, 0), (29, 5, 1)),),
}


def below_floor(component: str, version: str) -> str:
    """Return the first fixed release if `version` of `component` is older than it; else an empty text."""
    lines, numbers = _FLOORS.get(component), _numbers(version)
    if not lines or numbers is None:
        return ""
    floor = next((fixed for start, fixed in reversed(lines) if numbers >= start), lines[0][1])
    return "" if numbers >= floor else ".".join(map(str, floor))


def _numbers(version: str) -> _Numbers | None:
    match = _VERSION.search(version)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None
