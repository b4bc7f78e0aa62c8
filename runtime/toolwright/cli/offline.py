"""What is said wherever the offline model's figures appear."""

from __future__ import annotations

from collections.abc import Iterable

from toolwright.domain.record import TokenUse

PREFIX = "offline-"
"""How the names of its models start."""

NOTE = (
    "The offline model answered: scripted replies from the package, not a language model. "
    "Its accuracy tells about the runtime, not about any model, and its prices are illustrative."
)


def model_note(token_use: Iterable[TokenUse]) -> str:
    """Return `NOTE` if an offline model took part, else an empty text."""
    return NOTE if any(use.model.startswith(PREFIX) for use in token_use) else ""
