"""All cases, by section."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Case, Catalog
from toolwright.attacks.catalog import processes

CATALOGS: Final[tuple[Catalog, ...]] = (processes.CASES,)
"""The sections, in the order of the matrix."""


def all_cases() -> tuple[Case, ...]:
    """Return every case, in the order of the matrix."""
    return tuple(case for catalog in CATALOGS for case in catalog)
