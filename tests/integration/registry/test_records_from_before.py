"""A registry from before records were signed: it opens, shows all, and what it holds is verified before it runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status
from toolwright.errors import NotReady
from toolwright.execution.evidence import Evidence
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.admission import Admission
from toolwright.registry.open import open_store
from toolwright.registry.schema import MIGRATIONS
from toolwright.registry.signing import Keyring, Signer
from toolwright.registry.testing import sample_record, sample_task, sample_version
from toolwright.registry.tool_rows import task_row, verification_row, version_row
from toolwright.sandbox.testing import ScriptedPool

pytestmark = pytest.mark.integration


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a registry of schema 0001 with the active tool `add`."""
    path = tmp_path / "registry.db"
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    version = sample_version()
    record = verification_row(sample_record(version))
    tool = version_row(version) | {"number": 1, "state": "active", "verification_id": "v-1", "created_at": 1.0}
    rows = (
        ("tasks", task_row(sample_task())),
        ("verifications", {key: record[key] for key in record if key not in {"signature", "key_id"}}),
        ("tool_names", {"name": "add", "last_number": 1}),
        ("tool_versions", tool),
    )
    with closing(sqlite3.connect(path)) as past, past:
        for table, row in rows:
            places = ", ".join("?" * len(row))
            past.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", tuple(row.values()))
    return path


def test_what_was_not_signed_is_verified_again(old: Path) -> None:
    """It is listed as it was, refused with advice when it is called, and runs once it has a signed record."""
    signer, pool = Signer.generate(), ScriptedPool({"add": lambda *_: 3})
    with closing(open_store(old)) as store:
        executor = SandboxExecutor(pool, store, Limits(), evidence=Evidence(store, Keyring([signer.public])))
        request = ExecutionRequest("add", '{"a":1,"b":2}')
        assert store.get_tool("add").version == sample_version()
        assert store.get_verification("v-1").signature == ""
        assert store.lifecycle.events("add") == []
        with pytest.raises(NotReady, match=r"is not signed.*tools verify add@1"):
            executor.execute(request)

        record = sample_record(sample_version(), "v-2", image_digest=pool.info.image_digest)
        Admission(store, signer).renew(record, sample_task(), actor="ann", reason="records are signed now")

        assert executor.execute(request).outcome.status is Status.SUCCESS
