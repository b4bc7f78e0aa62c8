"""All cases, by section."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Case, Catalog
from toolwright.attacks.catalog import (
    calls_left,
    descriptors,
    devices,
    directories,
    enumeration,
    expansion,
    files_left,
    interpreter,
    kernel_calls,
    kernel_objects_left,
    loading,
    memory,
    mounts,
    namespaces,
    output,
    own_filters,
    priorities,
    proc_files,
    processes,
    programs,
    result_channel,
    result_values,
    rights,
    scratch,
    sockets,
    sys_files,
    system_files,
    time_limits,
    tracing,
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
    mounts.CASES,
    namespaces.CASES,
    tracing.CASES,
    proc_files.CASES,
    sys_files.CASES,
    sockets.CASES,
    kernel_calls.CASES,
    rights.CASES,
    programs.CASES,
    devices.CASES,
    system_files.CASES,
    directories.CASES,
    enumeration.CASES,
    own_filters.CASES,
)
"""The sections, in the order of the matrix."""


def all_cases() -> tuple[Case, ...]:
    """Return every case, in the order of the matrix."""
    return tuple(case for catalog in CATALOGS for case in catalog)
