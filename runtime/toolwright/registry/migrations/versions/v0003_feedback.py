"""Feedback: what became of answers, so that a version can be held back and made anew."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
