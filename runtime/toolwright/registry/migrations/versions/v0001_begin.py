"""The registry as it began: tasks, tools and their records, makings, executions, costs.

Revisions are numbers of four digits, one more than the last; `tables.SCHEMA_VERSION` is the newest.
There is no way back: a newer database is refused by an older program, and backups are for the rest.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# As they were at this revision: a migration must not change when `tables.py` does.
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables, those that others refer to first."""
    _create_tasks()
    _create_verifications()
    _create_tool_names()
    _create_tool_versions()
    _create_makings()
    _create_attempts()
    _create_executions()
    _create_model_uses()


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tasks")),
    )


def _create_verifications() -> None:
    op.create_table(
        "verifications",
        sa.Column("verification_id", _NAME, nullable=False),
        sa.Column("tool_digest", sa.Text(), nullable=False),
        sa.Column("task_digest", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("verification_id", name=op.f("pk_verifications")),
    )


def _create_tool_names() -> None:
    op.create_table(
        "tool_names",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tool_names")),
    )


def _create_tool_versions() -> None:
    op.create_table(
        "tool_versions",
        sa.Column("digest", _NAME, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("verification_id", _NAME, nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["tool_names.name"], name=op.f("fk_tool_versions_name")),
        sa.ForeignKeyConstraint(
            ["verification_id"], ["verifications.verification_id"], name=op.f("fk_tool_versions_verification_id")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_tool_versions")),
        sa.UniqueConstraint("name", "number", name=op.f("uq_tool_versions_name_number")),
    )


def _create_makings() -> None:
    op.create_table(
        "makings",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("making_id", _NAME, nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("tool_digest", sa.Text(), nullable=False),
        sa.Column("failure", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_makings")),
        sa.UniqueConstraint("making_id", name=op.f("uq_makings_making_id")),
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("making_id", _NAME, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("prompt", sa.LargeBinary(), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.LargeBinary(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["making_id"], ["makings.making_id"], name=op.f("fk_attempts_making_id")),
        sa.PrimaryKeyConstraint("making_id", "number", name=op.f("pk_attempts")),
    )


def _create_executions() -> None:
    op.create_table(
        "executions",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("execution_id", _NAME, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("tool_digest", sa.Text(), nullable=False),
        sa.Column("arguments_sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("result_sha256", sa.Text(), nullable=False),
        sa.Column("image_digest", sa.Text(), nullable=False),
        sa.Column("runtime", sa.Text(), nullable=False),
        sa.Column("container_id", sa.Text(), nullable=False),
        sa.Column("verification_id", sa.Text(), nullable=False),
        sa.Column("wall_ms", sa.Double(), nullable=False),
        sa.Column("cpu_ms", sa.Double(), nullable=False),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("stdout_bytes", sa.BigInteger(), nullable=False),
        sa.Column("stderr_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_executions")),
        sa.UniqueConstraint("execution_id", name=op.f("uq_executions_execution_id")),
    )


def _create_model_uses() -> None:
    op.create_table(
        "model_uses",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_model_uses")),
    )
