"""The ledger: for which tenant and tool a model was asked."""

from __future__ import annotations

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
