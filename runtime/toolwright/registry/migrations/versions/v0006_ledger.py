"""The ledger: for which tenant, tool and request a model was asked, and whether its price was known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns, and the names under which exchanges are counted."""
    op.add_column("model_uses", sa.Column("tenant", sa.Text(), nullable=False, server_default="default"))
    op.add_column("model_uses", sa.Column("tool", sa.Text(), nullable=False, server_default=""))
    op.add_column("model_uses", sa.Column("request_id", sa.Text(), nullable=False, server_default=""))
    op.add_column("model_uses", sa.Column("priced", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_table(
        "model_use_labels",
        sa.Column("label", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("label", name=op.f("pk_model_use_labels")),
    )
    # What cost nothing had no price: it was kept as 0 dollars then, too.
    uses = sa.table("model_uses", sa.column("cost_usd", sa.Double()), sa.column("priced", sa.Boolean()))
    op.execute(uses.update().where(uses.c.cost_usd == 0).values(priced=False))
