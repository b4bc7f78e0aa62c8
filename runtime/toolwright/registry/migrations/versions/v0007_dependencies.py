"""Dependencies: which tools are made from which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

# As it was at this revision: a migration must not change when `tables.py` does.
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table, and the index by which the users of a tool are found."""
    op.create_table(
        "tool_dependencies",
        sa.Column("tool", _NAME, nullable=False),
        sa.Column("part", _NAME, nullable=False),
        sa.ForeignKeyConstraint(["tool"], ["tool_versions.digest"], name=op.f("fk_tool_dependencies_tool")),
        sa.ForeignKeyConstraint(["part"], ["tool_versions.digest"], name=op.f("fk_tool_dependencies_part")),
        sa.PrimaryKeyConstraint("tool", "part", name=op.f("pk_tool_dependencies")),
    )
    op.create_index(op.f("ix_tool_dependencies_part"), "tool_dependencies", ["part"])
