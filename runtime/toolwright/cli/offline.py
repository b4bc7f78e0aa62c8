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

KINDS = (
    "word_sorting",
    "dyck_languages",
    "chinese_remainder_theorem",
    "schedule_meeting",
    "logical_deduction_five_objects",
    "tracking_shuffled_objects_five_objects",
)
"""Kinds of question that it has replies for. Said here too, so that help need not load the scripts; a test compares."""

UNCONFIGURED = (
    "no model is configured: the offline model answers, scripted replies for six kinds of question and no "
    'language model; see README "With a real model"'
)
"""Said before the work, where nobody asked for the offline model."""

REPLAYED = "no model is asked: every reply comes from the recording {name!r}"
"""Said before the work, where a recording is replayed."""


def model_note(token_use: Iterable[TokenUse]) -> str:
    """Return `NOTE` if an offline model took part, else an empty text."""
    return offline_note(use.model for use in token_use)


def offline_note(models: Iterable[str]) -> str:
    """Return `NOTE` if one of `models` is an offline one, else an empty text."""
    return NOTE if any(model.startswith(PREFIX) for model in models) else ""
