"""What a tool has to pass before it is kept, by which policy, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from toolwright.domain.limits import MIB
from toolwright.domain.source import MAX_SOURCE_BYTES

MAX_EVIDENCE_TEXT = 200
MAX_EVIDENCE = 32

Evidence = Mapping[str, str | int | float]
"""Counts, figures, seeds and short texts by name."""


class GateName(StrEnum):
    """The gates, in the order in which a tool meets them: what fails cheap comes first."""

    SOURCE = "source"
    INTERFACE = "interface"
    SCHEMA = "schema"
    TRAINING = "training"
    HELD_OUT = "held_out"
    DEGENERATE = "degenerate"
    PROBES = "probes"
    DETERMINISM = "determinism"
    RESOURCES = "resources"
    LIGHT_MODEL = "light_model"


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What one gate found."""

    gate: GateName
    passed: bool
    evidence: Evidence = field(default_factory=dict)
    """At most `MAX_EVIDENCE` entries; texts are untrusted and at most `MAX_EVIDENCE_TEXT` characters long."""

    def __post_init__(self) -> None:
        """Cut the evidence to its bounds."""
        kept = list(self.evidence.items())[:MAX_EVIDENCE]
        cut = {name: value[:MAX_EVIDENCE_TEXT] if isinstance(value, str) else value for name, value in kept}
        object.__setattr__(self, "evidence", cut)

    @property
    def summary(self) -> str:
        """The evidence on one line."""
        return ", ".join(f"{name.replace('_', ' ')}: {_shown(value)}" for name, value in self.evidence.items())


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """How much a tool has to show. The defaults let a task with one held-out example be made."""

    source_bytes: int = MAX_SOURCE_BYTES
    """Longest source, in bytes."""
    held_out_minimum: int = 1
    """Held-out examples on which the tool has to have run."""
    held_out_share: float = 0.9
    """Share of held-out examples that are right, of those on which the tool ran."""
    light_share: float = 0.9
    """Share of held-out examples that the light model answers rightly; a call that it did not make counts as wrong."""
    light_first_share: float = 0.6
    """Share of held-out examples that it answers without a second turn."""
    probes: int = 24
    """Valid calls made up from the schema and the training calls."""
    variations: int = 24
    """Calls that change one argument alone, before it is said that the result does not depend on it."""
    repeats: int = 2
    """Further calls for each example, in another container; each probe is called once more."""
    again_after_s: float = 1.1
    """Seconds between a call and its repetition, at least."""
    headroom: float = 1.5
    """A tool whose peak times this passes a ceiling is refused."""
    limit_factor: float = 4.0
    """The tool's own limits are its peaks times this, rounded up to the floor times a power of two."""
    wall_floor_s: float = 2.0
    """Lowest limit on wall time that a tool is given, in seconds."""
    memory_floor_bytes: int = 96 * MIB
    """Lowest limit on memory that a tool is given, in bytes."""

    @property
    def as_evidence(self) -> dict[str, int | float]:
        """The same by name, for the record."""
        return asdict(self)


def _shown(value: str | float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
