"""FT: a registry that is full, locked, damaged or half written, and a clock that jumps. Nothing unverified runs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from tests.security.kit.publisher_process import NEW, RECORD, TASK
from tests.security.kit.server_process import ServerProcess, serving, wait_until
from tests.security.kit.small_disk import fill, remount_read_only, small_disk
from toolwright.client import Client
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import NotFound, RecordLost, StoreCorrupt, StoreUnavailable
from toolwright.registry.base import Store
from toolwright.registry.open import open_store
from toolwright.registry.signing import Signer
from toolwright.registry.testing import sample_task, sample_version, signed_record
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.server import open_server
from toolwright.settings import Settings

pytestmark = [pytest.mark.security, pytest.mark.threat("T-OPS-02", "T-LIE-04")]

ADD: Final = sample_version()
EVIL: Final = sample_version(code="def add(a, b):\n    return 'never verified'\n")
SLEEP: Final = ToolSource("import time\ndef f(seconds: float):\n    time.sleep(seconds)\n    return 'done'\n", "f")
_ONE: Final = {"ISOLATION__DEFAULT": "tenant", "SANDBOX__POOL__MAX_CONTAINERS": "2"}


def admit_add(state_dir: Path, image_digest: str = "sha256:" + "1" * 64) -> Path:
    """Make a registry in `state_dir` that has the tool `add`, verified in that image; return its file."""
    path = state_dir / "registry.db"
    with closing(open_store(path)) as store:
        signer = Signer.open(state_dir / "signing.key")
        store.admit(ADD, signed_record(signer, image_digest, ADD), sample_task())
    return path


def add(client: Client) -> str | None:
    """Call the tool of the registry."""
    execution = client.execute("add", {"a": 1, "b": 2})
    assert execution.outcome.status is Status.SUCCESS
    return execution.outcome.result_json


# --- a disk that is full ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cramped(
    engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, Client, Path]]:
    """A server whose registry and log are on a disk of two mebibytes."""
    with small_disk(tmp_path_factory.mktemp("disk")) as disk:
        admit_add(disk / "state", policy.image_id)
        with (
            serving(engine, disk / "state", SANDBOX__IMAGE=policy.image_id, **_ONE) as server,
            server.client() as client,
        ):
            yield server, client, disk


def exhaust(client: Client) -> tuple[int, StoreUnavailable]:
    """Call until a record cannot be written: at first there is room in what the registry has already."""
    for done in range(3000):
        try:
            add(client)
        except StoreUnavailable as fault:
            return done, fault
    raise AssertionError("NOT PROVEN: the registry still takes records")


@pytest.mark.case("FT-09")
def test_ft_09_disk_full(cramped: tuple[ServerProcess, Client, Path]) -> None:
    """FT-09: calls are refused with UNAVAILABLE while no record can be written, and served again when one can."""
    server, client, disk = cramped
    assert add(client) == "3"
    before = server.executions()
    filler = fill(disk)
    try:
        done, fault = exhaust(client)
        for _ in range(5):
            with pytest.raises(StoreUnavailable):
                add(client)
        full = os.statvfs(disk).f_bavail
    finally:
        filler.unlink()

    assert full <= 1
    assert "cannot be read or written" in str(fault)
    assert add(client) == "3"
    assert server.executions() == before + done + 1, "what was refused is not on record, and nothing else is missing"
    assert server.process.poll() is None


@pytest.mark.case("FT-09")
def test_ft_09_disk_full_in_a_call(cramped: tuple[ServerProcess, Client, Path]) -> None:
    """FT-09: a call whose end cannot be recorded gives no result; it is on record as one that began."""
    server, client, disk = cramped
    before = server.executions()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(client.execute, SLEEP, {"seconds": 4})
        wait_until(lambda: server.executions() > before, 5.0, "the call is sent")
        filler = fill(disk)
        try:
            exhaust(client)
            with pytest.raises(RecordLost):
                running.result(20)
        finally:
            filler.unlink()

    wait_until(lambda: add(client) == "3", 5.0, "it recovers")
    with closing(sqlite3.connect(server.state_dir / "registry.db")) as registry:
        ends = registry.execute("SELECT status FROM executions ORDER BY seq LIMIT 1 OFFSET ?", (before,)).fetchone()
    assert ends == ("RUNNING",) or ends[0] not in {status.value for status in Status}


# --- a registry that cannot be used -------------------------------------------------------------------


@pytest.fixture(scope="module")
def keeper(
    engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, Client, Path]]:
    """A server with the tool `add`."""
    state = tmp_path_factory.mktemp("keeper") / "state"
    registry = admit_add(state, policy.image_id)
    with (
        serving(engine, state, SANDBOX__IMAGE=policy.image_id, **_ONE) as server,
        server.client() as client,
    ):
        assert add(client) == "3"
        yield server, client, registry


@pytest.mark.case("FT-12")
@pytest.mark.slow
def test_ft_12_locked_by_another_process(keeper: tuple[ServerProcess, Client, Path]) -> None:
    """FT-12: while another process holds the registry calls are UNAVAILABLE after a bounded wait; nothing runs."""
    server, client, path = keeper
    before = server.executions()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable):
            add(client)
        waited = time.monotonic() - begun
        other.execute("ROLLBACK")

    assert 4.0 < waited < 12.0
    assert server.executions() == before
    assert add(client) == "3"


def restore(path: Path, statement: str, *values: object) -> None:
    """Change the registry beneath the server."""
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1


@pytest.mark.case("FT-12")
def test_ft_12_source_with_a_flipped_bit(keeper: tuple[ServerProcess, Client, Path]) -> None:
    """FT-12: stored source that does not match its digest is DATA_LOSS, whatever way it is asked for; it never runs."""
    server, client, path = keeper
    before = server.executions()
    code = ADD.source.code.encode()
    restore(path, "UPDATE tool_versions SET code = ?", code.replace(b"a + b", b"a * b"))
    try:
        for reference in ("add", "add@1", ADD.digest):
            with pytest.raises(StoreCorrupt):
                client.execute(reference, {"a": 1, "b": 2})
        with pytest.raises(StoreCorrupt):
            client.get_tool("add")
    finally:
        restore(path, "UPDATE tool_versions SET code = ?", code)

    assert server.executions() == before
    assert add(client) == "3"


@pytest.mark.case("FT-12")
def test_ft_12_source_of_another_version(keeper: tuple[ServerProcess, Client, Path]) -> None:
    """FT-12: a version that is whole, with its own digest, but is not the one that was verified, does not run."""
    server, client, path = keeper
    before = server.executions()
    change = "UPDATE tool_versions SET code = ?, digest = ?"
    restore(path, change, EVIL.source.code.encode(), EVIL.digest)
    try:
        for reference in ("add", "add@1", EVIL.digest):
            with pytest.raises(StoreCorrupt):
                client.execute(reference, {"a": 1, "b": 2})
        with pytest.raises(StoreCorrupt):
            list(client.list_tools())
    finally:
        restore(path, change, ADD.source.code.encode(), ADD.digest)

    assert server.executions() == before
    assert add(client) == "3"


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def _flip_header(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[3] ^= 4
    path.write_bytes(raw)


def _newer_schema(path: Path) -> None:
    restore(path, "UPDATE toolwright_schema SET version_num = '9999'")


def _two_schemas(path: Path) -> None:
    restore(path, "INSERT INTO toolwright_schema VALUES ('0000')")


def _other_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")


@pytest.mark.case("FT-12")
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (_truncate, (StoreCorrupt, "damaged")),
        (_flip_header, (StoreUnavailable, "not an SQLite database")),
        (_newer_schema, (StoreUnavailable, "newer than the")),
        (_two_schemas, (StoreCorrupt, "restore it from a backup")),
        (_other_program, (StoreUnavailable, "tables of another program")),
    ],
)
def test_ft_12_damaged_at_start(
    engine: Engine, policy: SandboxPolicy, tmp_path: Path, damage: Any, expected: Any
) -> None:
    """FT-12: a server does not start on a registry that it cannot trust, says what is wrong, and leaves it as it is."""
    fault, words = expected
    path = admit_add(tmp_path, policy.image_id)
    damage(path)
    left = path.read_bytes()
    settings = Settings(state_dir=tmp_path, sandbox={"image": policy.image_id})  # type: ignore[arg-type]  # it is parsed
    with pytest.raises(fault, match=words), open_server(settings) as server, Client(server.address) as client:
        client.execute("add", {"a": 1, "b": 2})

    assert path.read_bytes()[100:] == left[100:], "SQLite itself may write to its header"


@pytest.mark.case("FT-12")
def test_ft_12_read_only(engine: Engine, policy: SandboxPolicy, tmp_path: Path) -> None:
    """FT-12: on a disk that may not be written a server does not start, and says so."""
    with small_disk(tmp_path / "disk") as disk:
        admit_add(disk / "state", policy.image_id)
        remount_read_only(disk)
        settings = Settings(state_dir=disk / "state", sandbox={"image": policy.image_id})  # type: ignore[arg-type]  # as above
        with pytest.raises(StoreUnavailable, match="cannot be written"), open_server(settings):
            pytest.fail("it must not serve")


# --- a publication that is broken off -----------------------------------------------------------------


def _is_old(store: Store) -> bool:
    with pytest.raises(NotFound):
        store.get_tool("add@2")
    with pytest.raises(NotFound):
        store.get_verification("v-2")
    with pytest.raises(NotFound):
        store.get_tool(NEW.digest)
    return store.get_tool("add").version == ADD and store.get_task("add") == sample_task()


def _is_new(store: Store) -> bool:
    tool = store.get_tool("add")
    return (tool.version, tool.number) == (NEW, 2) and (store.get_verification("v-2"), store.get_task("add")) == (
        RECORD,
        TASK,
    )


@pytest.mark.case("FT-13")
def test_ft_13_killed_while_publishing(tmp_path: Path) -> None:
    """FT-13: killed before or after any statement of a publication, the registry has the old state or the new one."""
    base = admit_add(tmp_path / "base")
    directory = tmp_path / "killed"
    directory.mkdir()
    program = Path(__file__).with_name("kit") / "publisher_process.py"
    run = subprocess.run(
        [sys.executable, str(program), str(base), str(directory)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    points = run.stdout.splitlines()
    found = []
    for point in range(len(points)):
        path = directory / f"{point}.db"
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with closing(open_store(path)) as store:
            new = store.get_tool("add").number == 2
            assert _is_new(store) if new else _is_old(store), points[point]
            found.append(new)
            if not new:  # the next one to publish is not hindered by what was left
                assert store.admit(NEW, RECORD, TASK).number == 2

    assert points[-1] == "exit 0", run.stderr
    assert "before the commit" in points
    assert len(points) > 10, points
    assert found == [False] * (len(points) - 1) + [True]


# --- a clock that jumps -------------------------------------------------------------------------------

_CLOCK: Final = """
import os, time
_real, _file = time.time, os.environ["TEST_CLOCK_FILE"]
def _jumping():
    with open(_file) as file:
        return _real() + float(file.read() or 0)
time.time = _jumping
time.time_ns = lambda: int(_jumping() * 1e9)
"""
_HOUR_S: Final = 3600.0
_TEN_YEARS_S: Final = 10 * 365 * 24 * _HOUR_S


@pytest.mark.case("FT-11")
@pytest.mark.slow
def test_ft_11_the_wall_clock_jumps(
    engine: Engine, policy: SandboxPolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FT-11: whatever the wall clock does in a call, limits hold by the monotonic one, and records keep their order."""
    (tmp_path / "shim").mkdir()
    (tmp_path / "shim" / "sitecustomize.py").write_text(_CLOCK)
    clock = tmp_path / "clock"
    clock.write_text("0")
    monkeypatch.setenv("TEST_CLOCK_FILE", str(clock))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "shim"), os.environ.get("PYTHONPATH", "")]))
    ids, containers = [], set()
    with (
        serving(engine, tmp_path / "state", SANDBOX__IMAGE=policy.image_id, **_ONE) as server,
        server.client() as client,
    ):
        for jump in (-_HOUR_S, _TEN_YEARS_S):
            for seconds, status in ((0.3, Status.SUCCESS), (20.0, Status.TIMEOUT)):
                timer = threading.Timer(0.15, clock.write_text, (str(jump),))
                timer.start()
                begun = time.monotonic()
                execution = client.execute(SLEEP, {"seconds": seconds}, limits=LimitsRequest(wall_time_s=1.0))
                taken = time.monotonic() - begun
                timer.join()
                clock.write_text("0")
                assert execution.outcome.status is status
                assert taken < 1.0 + 1.5
                ids.append(execution.execution_id)
                containers.add(execution.provenance.container_id)
        clock.write_text(str(-_TEN_YEARS_S))
        ids.append(client.execute(SLEEP, {"seconds": 0}).execution_id)
        with closing(sqlite3.connect(server.state_dir / "registry.db")) as registry:
            rows = registry.execute("SELECT execution_id, at FROM executions ORDER BY seq").fetchall()

    assert [row[0] for row in rows] == ids
    assert rows[-1][1] < rows[0][1] - _TEN_YEARS_S / 2, "NOT PROVEN: the server's clock did not jump"
    assert len(containers) == 1, "none was thrown away for its age"
