"""Trust: who changed what about a tool and why, aliases, signatures of verification records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and let records have signatures; those that are there have none."""
    for column in ("signature", "key_id"):
        op.add_column("verifications", sa.Column(column, sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "tool_aliases",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("alias", _NAME, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["tool_names.name"], name=op.f("fk_tool_aliases_name")),
        sa.PrimaryKeyConstraint("name", "alias", name=op.f("pk_tool_aliases")),
    )
    op.create_table(
        "tool_events",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("from_number", sa.Integer(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_tool_events")),
    )
    op.create_index(op.f("ix_tool_events_name"), "tool_events", ["name"])
