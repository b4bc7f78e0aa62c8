"""Dispatch: searching tools, and questions that no tool fits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Every change of a tool or task, whoever makes it, gets the next number in the same transaction.
_NOTED = """
    UPDATE search_state SET changed = changed + 1;
    INSERT INTO search_changes (name, revision) SELECT NEW.name, changed FROM search_state WHERE true
        ON CONFLICT (name) DO UPDATE SET revision = excluded.revision;
"""
_EVENTS = {
    "search_tool_added": "INSERT ON tool_versions",
    "search_tool_changed": "UPDATE OF state ON tool_versions",
    "search_task_added": "INSERT ON tasks",
    "search_task_changed": "UPDATE ON tasks",
}


def upgrade() -> None:
    """Make the tables."""
    _create_search()
    _create_terms()
    _create_triggers()
    _create_groups()
    _create_misses()


def _create_search() -> None:
    op.create_table(
        "search_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("indexed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_state")),
    )
    op.create_table(
        "search_changes",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_search_changes")),
    )
    op.create_table(
        "search_entries",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("digest", _NAME, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_search_entries")),
        sa.UniqueConstraint("name", name=op.f("uq_search_entries_name")),
    )
    op.create_table(
        "search_vectors",
        sa.Column("digest", _NAME, nullable=False),
        sa.Column("model", _NAME, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "model", name=op.f("pk_search_vectors")),
    )
    # What is there already is indexed by the first search.
    op.execute("INSERT INTO search_state (id, changed, indexed) VALUES (1, 1, 0)")
    op.execute(
        "INSERT INTO search_changes (name, revision) SELECT name, 1 FROM tasks UNION SELECT name, 1 FROM tool_names"
    )


def _create_terms() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE search_terms (entry BIGINT PRIMARY KEY, vector tsvector NOT NULL)")
        op.execute("CREATE INDEX ix_search_terms_vector ON search_terms USING gin (vector)")
    else:
        op.execute("CREATE VIRTUAL TABLE search_terms USING fts5(name, about, parameters, samples)")


def _create_triggers() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    if postgres:
        op.execute(
            f"CREATE FUNCTION search_noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_NOTED} RETURN NULL; END $$"
        )
    for name, event in _EVENTS.items():
        body = "EXECUTE FUNCTION search_noted()" if postgres else f"BEGIN {_NOTED} END"
        op.execute(f"CREATE TRIGGER {name} AFTER {event} FOR EACH ROW {body}")


def _create_groups() -> None:
    op.create_table(
        "miss_groups",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("group_id", _NAME, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failure", sa.LargeBinary(), nullable=False),
        sa.Column("not_before", sa.Double(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_miss_groups")),
        sa.UniqueConstraint("group_id", name=op.f("uq_miss_groups_group_id")),
    )
    op.create_table(
        "miss_sketches",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("group_id", _NAME, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_miss_sketches")),
    )


def _create_misses() -> None:
    op.create_table(
        "misses",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("miss_id", _NAME, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("group_id", _NAME, nullable=False),
        sa.Column("question", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("answered_by", sa.LargeBinary(), nullable=False),
        sa.Column("answered_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_misses")),
        sa.UniqueConstraint("miss_id", name=op.f("uq_misses_miss_id")),
        sa.UniqueConstraint("tenant", "key", name=op.f("uq_misses_tenant_key")),
    )
    op.create_index("ix_misses_group_id", "misses", ["group_id"])
