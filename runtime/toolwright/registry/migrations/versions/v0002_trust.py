"""Trust: who changed what about a tool and why, aliases, signatures of verification records."""

from __future__ import annotations

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
