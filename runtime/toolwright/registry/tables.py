"""The tables, as they are at `SCHEMA_VERSION`. `migrations/` is how a database gets there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION = "0007"
"""Revision of the newest migration. Revisions are numbers, so that a newer one can be told."""

VERSION_TABLE = "toolwright_schema"
"""Where a database keeps its revision. Named for us, so that another program's is not taken for ours."""

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# Names sort by code point everywhere; a locale's order would break paging by name.
NAME = Text().with_variant(Text(collation="C"), "postgresql")
# Only a column declared INTEGER is SQLite's row id, which costs no index of its own.
SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")
# What models and tools wrote may hold NUL and lone surrogates; text columns take neither.
ANY_TEXT = LargeBinary()
# ASCII, so integers of any size and any character survive every driver and encoding.
JSON_TEXT = Text()


def _column(name: str, kind: type[Text | Double[float] | BigInteger]) -> Column[Any]:
    return Column(name, kind(), nullable=False)


TASKS = Table(
    "tasks",
    METADATA,
    Column("name", NAME, primary_key=True),
    Column("digest", Text(), nullable=False),
    Column("body", JSON_TEXT, nullable=False),
)

VERIFICATIONS = Table(
    "verifications",
    METADATA,
    Column("verification_id", NAME, primary_key=True),
    Column("tool_digest", Text(), nullable=False),
    Column("task_digest", Text(), nullable=False),
    Column("body", JSON_TEXT, nullable=False),
    Column("digest", Text(), nullable=False),
    # Empty for records from before there were signatures.
    Column("signature", Text(), nullable=False, server_default=""),
    Column("key_id", Text(), nullable=False, server_default=""),
)

# One row a name: whoever updates it holds the name until the transaction ends, and so the next number.
TOOL_NAMES = Table(
    "tool_names",
    METADATA,
    Column("name", NAME, primary_key=True),
    Column("last_number", Integer(), nullable=False),
)

TOOL_VERSIONS = Table(
    "tool_versions",
    METADATA,
    Column("digest", NAME, primary_key=True),
    Column("name", NAME, ForeignKey("tool_names.name"), nullable=False),
    Column("number", Integer(), nullable=False),
    Column("state", Text(), nullable=False),
    Column("verification_id", NAME, ForeignKey("verifications.verification_id"), nullable=False),
    Column("created_at", Double(), nullable=False),
    Column("function", Text(), nullable=False),
    Column("code", ANY_TEXT, nullable=False),
    Column("definition", JSON_TEXT, nullable=False),
    UniqueConstraint("name", "number"),
)

# --- tools made from tools: one row for each part of a version, parts of parts included ------------

TOOL_DEPENDENCIES = Table(
    "tool_dependencies",
    METADATA,
    Column("tool", NAME, ForeignKey("tool_versions.digest"), primary_key=True),
    Column("part", NAME, ForeignKey("tool_versions.digest"), primary_key=True, index=True),
)

MAKINGS = Table(
    "makings",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    Column("making_id", NAME, nullable=False, unique=True),
    Column("task", Text(), nullable=False),
    Column("started_at", Double(), nullable=False),
    Column("finished_at", Double(), nullable=True),
    Column("tool_digest", Text(), nullable=False),
    Column("failure", ANY_TEXT, nullable=False),
)

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("making_id", NAME, ForeignKey("makings.making_id"), primary_key=True),
    Column("number", BigInteger(), primary_key=True, autoincrement=False),
    Column("prompt", ANY_TEXT, nullable=False),
    Column("reply", ANY_TEXT, nullable=False),
    Column("source", ANY_TEXT, nullable=False),
    Column("stage", Text(), nullable=False),
    Column("accepted", Boolean(), nullable=False),
    Column("verdict", ANY_TEXT, nullable=False),
    Column("prompt_tokens", BigInteger(), nullable=False),
    Column("completion_tokens", BigInteger(), nullable=False),
    Column("cost_usd", Double(), nullable=False),
    Column("at", Double(), nullable=False),
)

EXECUTIONS = Table(
    "executions",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    Column("execution_id", NAME, nullable=False, unique=True),
    _column("at", Double),
    _column("tenant", Text),
    _column("purpose", Text),
    _column("tool", Text),
    _column("tool_digest", Text),
    _column("arguments_sha256", Text),
    _column("status", Text),
    _column("result_sha256", Text),
    _column("image_digest", Text),
    _column("runtime", Text),
    _column("container_id", Text),
    _column("verification_id", Text),
    _column("wall_ms", Double),
    _column("cpu_ms", Double),
    _column("peak_memory_bytes", BigInteger),
    _column("stdout_bytes", BigInteger),
    _column("stderr_bytes", BigInteger),
    # The execution whose result a cache gave out again; empty where the tool ran. Last: an older database got it later.
    Column("computed_by", Text(), nullable=False, server_default=""),
)

MODEL_USES = Table(
    "model_uses",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    _column("at", Double),
    _column("role", Text),
    _column("model", Text),
    _column("task", Text),
    _column("purpose", Text),
    _column("prompt_tokens", BigInteger),
    _column("completion_tokens", BigInteger),
    _column("cost_usd", Double),
    _column("seconds", Double),
    _column("tenant", Text),
    _column("tool", Text),
    _column("request_id", Text),
    Column("priced", Boolean(), nullable=False),
)

# What was asked for questions whose kind had no name yet.
MODEL_USE_LABELS = Table(
    "model_use_labels",
    METADATA,
    Column("label", NAME, primary_key=True),
    _column("task", Text),
)

# --- dispatch: searching, and questions that no tool fits -------------------------------------------
# Beside these there are `search_terms`, a table for full text of the database's own kind, and triggers that
# number changes in `search_state`: migration 0005 makes both.

# One row: the number of the newest change, and the one up to which the index is built.
SEARCH_STATE = Table(
    "search_state",
    METADATA,
    Column("id", Integer(), primary_key=True, autoincrement=False),
    _column("changed", BigInteger),
    _column("indexed", BigInteger),
)

SEARCH_CHANGES = Table(
    "search_changes",
    METADATA,
    Column("name", NAME, primary_key=True),
    _column("revision", BigInteger),
)

SEARCH_ENTRIES = Table(
    "search_entries",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    Column("name", NAME, nullable=False, unique=True),
    Column("digest", NAME, nullable=False),
    Column("number", Integer(), nullable=False),
)

SEARCH_VECTORS = Table(
    "search_vectors",
    METADATA,
    Column("digest", NAME, primary_key=True),
    Column("model", NAME, primary_key=True),
    Column("vector", LargeBinary(), nullable=False),
)

MISS_GROUPS = Table(
    "miss_groups",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    Column("group_id", NAME, nullable=False, unique=True),
    _column("tenant", Text),
    _column("state", Text),
    _column("name", Text),
    Column("description", ANY_TEXT, nullable=False),
    _column("created_at", Double),
    Column("attempts", Integer(), nullable=False),
    Column("failure", ANY_TEXT, nullable=False),
    _column("not_before", Double),
    _column("tool", Text),
    _column("cost_usd", Double),
    _column("owner", Text),
    _column("lease_until", Double),
)

MISS_SKETCHES = Table(
    "miss_sketches",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    Column("group_id", NAME, nullable=False),
    _column("tenant", Text),
    Column("hashes", LargeBinary(), nullable=False),
    Column("vector", LargeBinary(), nullable=False),
)

MISSES = Table(
    "misses",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    Column("miss_id", NAME, nullable=False, unique=True),
    _column("tenant", Text),
    _column("key", Text),
    Column("group_id", NAME, nullable=False),
    Column("question", ANY_TEXT, nullable=False),
    _column("count", BigInteger),
    _column("first_at", Double),
    _column("last_at", Double),
    Column("answer", ANY_TEXT, nullable=False),
    Column("answered_by", ANY_TEXT, nullable=False),
    _column("answered_at", Double),
    UniqueConstraint("tenant", "key"),
    Index("ix_misses_group_id", "group_id"),
)

# --- feedback -------------------------------------------------------------------------------------

KEPT_ANSWERS = Table(
    "kept_answers",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    Column("execution_id", NAME, nullable=False, unique=True),
    Column("name", NAME, nullable=False),
    _column("tool", Text),
    _column("tool_digest", Text),
    Column("question", ANY_TEXT, nullable=False),
    Column("answer", ANY_TEXT, nullable=False),
    _column("at", Double),
)

OUTCOME_REPORTS = Table(
    "outcome_reports",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    Column("execution_id", NAME, nullable=False, unique=True),
    Column("tool_digest", NAME, nullable=False, index=True),
    Column("correct", Boolean(), nullable=False),
    Column("answer", ANY_TEXT, nullable=False),
    Column("actor", ANY_TEXT, nullable=False),
    _column("at", Double),
)

SOLVES = Table(
    "solves",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    _column("at", Double),
    _column("ending", Text),
    _column("tool", Text),
    _column("execution_id", Text),
    Column("from_cache", Boolean(), nullable=False),
)

# --- trust ----------------------------------------------------------------------------------------

TOOL_ALIASES = Table(
    "tool_aliases",
    METADATA,
    Column("name", NAME, ForeignKey("tool_names.name"), primary_key=True),
    Column("alias", NAME, primary_key=True),
    Column("number", Integer(), nullable=False),
    _column("share", Double),
)

# Nothing is ever changed or removed here.
TOOL_EVENTS = Table(
    "tool_events",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    _column("at", Double),
    Column("name", NAME, nullable=False, index=True),
    Column("number", Integer(), nullable=False),
    _column("digest", Text),
    _column("kind", Text),
    Column("actor", ANY_TEXT, nullable=False),
    Column("reason", ANY_TEXT, nullable=False),
    _column("from_state", Text),
    _column("to_state", Text),
    _column("alias", Text),
    Column("from_number", Integer(), nullable=False),
    _column("share", Double),
)

# --- makings as jobs ------------------------------------------------------------------------------

JOBS = Table(
    "jobs",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True),
    Column("making_id", NAME, nullable=False, unique=True),
    _column("task", Text),
    _column("task_digest", Text),
    Column("task_body", JSON_TEXT, nullable=False),
    _column("kind", Text),
    _column("tenant", Text),
    _column("max_attempts", BigInteger),
    _column("max_tokens", BigInteger),
    _column("max_cost_usd", Double),
    _column("max_seconds", Double),
    _column("candidates", BigInteger),
    _column("state", Text),
    _column("created_at", Double),
    _column("owner", Text),
    _column("lease_until", Double),
    _column("starts", BigInteger),
    Column("cancel_requested", Boolean(), nullable=False),
    Column("finished_at", Double(), nullable=True),
    _column("begun", BigInteger),
    Column("token_use", JSON_TEXT, nullable=False),
    _column("seconds", Double),
    Column("progress", ANY_TEXT, nullable=False),
    Column("reason", ANY_TEXT, nullable=False),
    _column("tool_digest", Text),
    Column("merged", Boolean(), nullable=False),
    Index("ix_jobs_state", "state"),
)

# One row: whoever updates it is the only one to open, take or cancel a job until the transaction ends.
JOB_TURN = Table("job_turn", METADATA, _column("turn", BigInteger))

SYNONYMS = Table(
    "synonyms",
    METADATA,
    Column("name", NAME, primary_key=True),
    Column("tool", NAME, ForeignKey("tool_names.name"), nullable=False),
)
