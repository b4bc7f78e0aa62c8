"""Section `cache`: results that are given out again without a run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from toolwright.domain.limits import MIB
from toolwright.settings.section import Section


class CacheSettings(Section):
    """Results of tools that were proved deterministic, in the memory of this server."""

    enabled: bool = True
    """Whether a result is given out again where the same tenant calls the same version with the same arguments."""
    max_entries: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Results that are kept, those that were used last: 1 to 1,000,000."""
    max_bytes: Annotated[int, Field(ge=MIB // 1024, le=4096 * MIB)] = 64 * MIB
    """All of them together, in bytes: 1 KiB to 4 GiB."""
