"""What all models of one process have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from toolwright.llm.learned import Learned
from toolwright.llm.recording import Recorder
from toolwright.llm.replay import Recording


@dataclass(frozen=True, slots=True)
class Shared:
    """What was learned of endpoints, and the recording that is written or replayed, if any."""

    learned: Learned = field(default_factory=Learned)
    recorder: Recorder | None = None
    recording: Recording | None = None
