"""The harmless twins of the attacks: what honest tools do, which has to work with every layer on."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.twins import (
    arithmetic,
    bounds,
    data,
    descriptors,
    files,
    language,
    processes,
    science,
    text,
    waiting,
)
from toolwright.attacks.twins.twin import Twin

__all__ = ["TWINS", "Twin"]

TWINS: Final[tuple[Twin, ...]] = (
    *data.TWINS,
    *text.TWINS,
    *arithmetic.TWINS,
    *language.TWINS,
    *files.TWINS,
    *descriptors.TWINS,
    *processes.TWINS,
    *waiting.TWINS,
    *bounds.TWINS,
    *science.TWINS,
)
"""All of them; a name stands for one."""
