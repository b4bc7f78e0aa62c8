"""Makings as durable jobs, and names that stand for tools of other names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# As they were at this revision: a migration must not change when `tables.py` does.
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _create_jobs()
    turn = op.create_table("job_turn", sa.Column("turn", sa.BigInteger(), nullable=False))
    op.bulk_insert(turn, [{"turn": 0}])
    op.create_table(
        "synonyms",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("tool", _NAME, nullable=False),
        sa.ForeignKeyConstraint(["tool"], ["tool_names.name"], name=op.f("fk_synonyms_tool")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_synonyms")),
    )


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("making_id", _NAME, nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("task_digest", sa.Text(), nullable=False),
        sa.Column("task_body", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("max_attempts", sa.BigInteger(), nullable=False),
        sa.Column("max_tokens", sa.BigInteger(), nullable=False),
        sa.Column("max_cost_usd", sa.Double(), nullable=False),
        sa.Column("max_seconds", sa.Double(), nullable=False),
        sa.Column("candidates", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=False),
        sa.Column("starts", sa.BigInteger(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("begun", sa.BigInteger(), nullable=False),
        sa.Column("token_use", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("progress", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("tool_digest", sa.Text(), nullable=False),
        sa.Column("merged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_jobs")),
        sa.UniqueConstraint("making_id", name=op.f("uq_jobs_making_id")),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])
