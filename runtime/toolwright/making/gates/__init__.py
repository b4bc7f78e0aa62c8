"""The gates between a proposal and the registry, in the order in which a tool meets them: what fails cheap comes first.

Each is a module with one `GATE`. All code runs in the sandbox, in the production image and under production limits.
"""

from __future__ import annotations

from typing import Final

from toolwright.making.gates import (
    degenerate,
    determinism,
    held_out,
    interface,
    light_model,
    probes,
    resources,
    schema,
    source,
    training,
)
from toolwright.making.gates.base import Gate, Ruling

GATES: Final[tuple[Gate, ...]] = (
    source.GATE,
    interface.GATE,
    schema.GATE,
    training.GATE,
    held_out.GATE,
    degenerate.GATE,
    probes.GATE,
    determinism.GATE,
    resources.GATE,
    light_model.GATE,
)

__all__ = ["GATES", "Gate", "Ruling"]
