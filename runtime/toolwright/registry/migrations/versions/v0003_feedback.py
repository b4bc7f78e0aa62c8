"""Feedback: what became of answers, so that a version can be held back and made anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and let the execution log say where a result came from a cache."""
    op.add_column("executions", sa.Column("computed_by", sa.Text(), nullable=False, server_default=""))
    _create_kept_answers()
    _create_outcome_reports()
    _create_solves()


def _create_kept_answers() -> None:
    op.create_table(
        "kept_answers",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("execution_id", _NAME, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("tool_digest", sa.Text(), nullable=False),
        sa.Column("question", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_kept_answers")),
        sa.UniqueConstraint("execution_id", name=op.f("uq_kept_answers_execution_id")),
    )


def _create_outcome_reports() -> None:
    op.create_table(
        "outcome_reports",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("execution_id", _NAME, nullable=False),
        sa.Column("tool_digest", _NAME, nullable=False),
        sa.Column("correct", sa.Boolean(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outcome_reports")),
        sa.UniqueConstraint("execution_id", name=op.f("uq_outcome_reports_execution_id")),
    )
    op.create_index(op.f("ix_outcome_reports_tool_digest"), "outcome_reports", ["tool_digest"])


def _create_solves() -> None:
    op.create_table(
        "solves",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("ending", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("from_cache", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_solves")),
    )
