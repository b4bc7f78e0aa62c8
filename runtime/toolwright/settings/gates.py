"""How much a tool has to show before it is kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from toolwright.domain.gates import GatePolicy
from toolwright.domain.limits import MIB
from toolwright.domain.source import MAX_SOURCE_BYTES
from toolwright.settings.section import Section

_DEFAULT = GatePolicy()


class GateSettings(Section):
    """How much a tool has to show before it is kept; see `docs/verification.md`."""

    source_bytes: Annotated[int, Field(ge=1024, le=MAX_SOURCE_BYTES)] = _DEFAULT.source_bytes
    """Longest source: 1 KiB to 256 KiB."""
    held_out_minimum: Annotated[int, Field(ge=1, le=1000)] = _DEFAULT.held_out_minimum
    """Held-out examples that a tool has to have run on: 1 to 1,000. A task with fewer is refused."""
    held_out_share: Annotated[float, Field(ge=0.5, le=1, allow_inf_nan=False)] = _DEFAULT.held_out_share
    """Share of the held-out calls that have to be right: 0.5 to 1. With fewer than ten, 0.9 means all."""
    light_share: Annotated[float, Field(ge=0.5, le=1, allow_inf_nan=False)] = _DEFAULT.light_share
    """Share of held-out questions that the light model has to answer rightly with the tool, calls that it did not make
    counted as wrong: 0.5 to 1."""
    light_first_share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = _DEFAULT.light_first_share
    """Share that it has to answer without a second turn: 0 to 1."""
    probes: Annotated[int, Field(ge=16, le=1000)] = _DEFAULT.probes
    """Valid calls that are made up, and made twice: 16 to 1,000. Where every call has a container of its own
    (`isolation` `call`), four or so are made in a second."""
    variations: Annotated[int, Field(ge=8, le=1000)] = _DEFAULT.variations
    """Changes of one argument after which, if none changed the result, it is said to be without effect: 8 to 1,000."""
    repeats: Annotated[int, Field(ge=1, le=100)] = _DEFAULT.repeats
    """Further calls for each example, in another container: 1 to 100."""
    again_after_s: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = _DEFAULT.again_after_s
    """Seconds between a call and its repetition, at least: up to 60."""
    headroom: Annotated[float, Field(ge=1, le=100, allow_inf_nan=False)] = _DEFAULT.headroom
    """A tool whose peak times this passes a ceiling is refused: 1 to 100."""
    limit_factor: Annotated[float, Field(ge=1, le=100, allow_inf_nan=False)] = _DEFAULT.limit_factor
    """A tool's own limits are its peaks times this, or more: 1 to 100."""
    wall_floor_s: Annotated[float, Field(ge=0.5, le=120, allow_inf_nan=False)] = _DEFAULT.wall_floor_s
    """Lowest limit on wall time that a tool is given, in seconds: 0.5 to 120."""
    memory_floor_bytes: Annotated[int, Field(ge=64 * MIB, le=2048 * MIB)] = _DEFAULT.memory_floor_bytes
    """Lowest limit on memory that a tool is given: 64 MiB to 2 GiB."""

    @property
    def policy(self) -> GatePolicy:
        """The same as a domain value."""
        return GatePolicy(**self.model_dump())
