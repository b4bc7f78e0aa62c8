"""${message}.

Revisions are numbers of four digits, one more than the last; `tables.SCHEMA_VERSION` is the newest.
There is no way back: a newer database is refused by an older program, and backups are for the rest.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Say what changes, and why."""
    ${upgrades if upgrades else "pass"}
