"""All cases, by section."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Case, Catalog
from toolwright.attacks.catalog import (
    calls_left,
    descriptors,
    expansion,
    files_left,
    interpreter,
    kernel_objects_left,
    loading,
    memory,
    output,
    priorities,
    processes,
    result_channel,
    result_values,
    scratch,
    time_limits,
)

CATALOGS: Final[tuple[Catalog, ...]] = (
    processes.CASES,
    memory.CASES,
    scratch.CASES,
    descriptors.CASES,
    output.CASES,
    time_limits.CASES,
    expansion.CASES,
    priorities.CASES,
    result_channel.CASES,
    result_values.CASES,
    files_left.CASES,
    kernel_objects_left.CASES,
    calls_left.CASES,
    loading.CASES,
    interpreter.CASES,
)
"""The sections, in the order of the matrix."""


def all_cases() -> tuple[Case, ...]:
    """Return every case, in the order of the matrix."""
    return tuple(case for catalog in CATALOGS for case in catalog)
