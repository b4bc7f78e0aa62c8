"""Run by Alembic: migrates the connection that `schema.py` hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from toolwright.registry.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
