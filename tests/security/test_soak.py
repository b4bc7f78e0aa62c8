"""FT-22: thousands of calls of all kinds, and nothing that grows, leaks or breaks."""

from __future__ import annotations

import json
import os
import re
import secrets
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.security.kit.mix import Kind, arguments_json, drawn
from tests.security.kit.server_process import ServerProcess, log_of, serving, wait_until
from toolwright.client import Client
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import Overloaded, SandboxUnavailable
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy

pytestmark = [pytest.mark.security, pytest.mark.case("FT-22"), pytest.mark.threat("T-DOS-02", "T-LAT-05")]

_CALLERS: Final = 4
_MOST_CONTAINERS: Final = 6
_CANARY: Final = re.compile(rb"canary-[0-9a-f]{16}")
_SEED: Final = int(os.environ.get("TOOLWRIGHT_SOAK_SEED", "20260101"))
_TRIES: Final = 50


@dataclass
class _Seen:
    """What a run of the mix showed."""

    verdicts: Counter[tuple[str, Status]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    use: list[tuple[int, int, int]] = field(default_factory=list)
    """Resident bytes, descriptors and threads of the server, in the order in which they were measured."""
    lock: threading.Lock = field(default_factory=threading.Lock)


def _calls(client: Client, kinds: Iterator[Kind], seen: _Seen, server: ServerProcess, every: int) -> None:
    process = psutil.Process(server.process.pid)
    while True:
        with seen.lock:
            kind = next(kinds, None)
            if seen.verdicts.total() % every == 0:
                seen.use.append((process.memory_info().rss, process.num_fds(), process.num_threads()))
        if kind is None:
            return
        secret = f"canary-{secrets.token_hex(8)}"
        execution = _execute(client, kind, secret)
        status = execution.outcome.status
        with seen.lock:
            seen.verdicts[kind.name, status] += 1
            if status not in kind.allowed:
                seen.wrong.append(f"{kind.name}: {execution.outcome}")
            seen.wrong += _leaks(kind, secret, execution)


def _execute(client: Client, kind: Kind, secret: str) -> Execution:
    for _ in range(_TRIES):
        try:
            source = ToolSource(kind.source, "f")
            return client.execute(source, arguments_json=arguments_json(kind, secret), limits=kind.limits)
        except (Overloaded, SandboxUnavailable) as busy:  # says: it did not run, try again
            last: Exception = busy
            time.sleep(0.1)
    raise AssertionError(f"{kind.name} found no place") from last


def _leaks(kind: Kind, own: str, execution: Execution) -> list[str]:
    outcome = execution.outcome
    failure = outcome.failure
    texts = [outcome.result_json or "", *((failure.type, failure.message, failure.traceback) if failure else ())]
    raw = b"\n".join([outcome.stdout.kept, outcome.stderr.kept, *(text.encode() for text in texts)])
    foreign = set(_CANARY.findall(raw)) - {own.encode()}
    found = [f"{kind.name} saw {foreign}"] if foreign else []
    if kind.name == "look" and outcome.result_json:
        left, _ = json.loads(outcome.result_json)
        found += [] if left == [None, [], []] else [f"look found {left}"]
    return found


def _soak(engine: Engine, state_dir: Path, count: int) -> tuple[_Seen, str]:
    seen, kinds = _Seen(), drawn(count, hostile=0.3, seed=_SEED)
    settings = {"SANDBOX__POOL__MAX_CONTAINERS": str(_MOST_CONTAINERS), "ISOLATION__DEFAULT": "tenant"}
    with serving(engine, state_dir, **settings) as server:
        with ThreadPoolExecutor(_CALLERS) as threads:
            clients = [server.client() for _ in range(_CALLERS)]
            calls = [threads.submit(_calls, one, kinds, seen, server, max(1, count // 40)) for one in clients]
            for call in calls:
                call.result()
        assert server.executions() == count
        assert clients[0].healthy()
        wait_until(
            lambda: len(server.containers()) <= _MOST_CONTAINERS, 20, "no more containers than the pool may have"
        )
        for client in clients:
            client.close()
        assert server.terminate() == 0
        wait_until(lambda: not server.containers(), 20, "no container is left")
    return seen, log_of(state_dir).read_text(encoding="utf-8", errors="backslashreplace")


def _check(seen: _Seen, log: str, count: int) -> None:
    assert not seen.wrong, (len(seen.wrong), seen.wrong[:5])
    assert seen.verdicts.total() == count
    assert "INTERNAL" not in log
    assert "Traceback" not in log
    assert not _CANARY.search(log.encode())


@pytest.mark.slow
def test_short_soak(engine: Engine, policy: SandboxPolicy, tmp_path: Path) -> None:
    """FT-22: 300 calls, three of ten hostile: every verdict is right, and nothing is seen that is another call's."""
    seen, log = _soak(engine, tmp_path / "state", 300)

    _check(seen, log, 300)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_long_soak(engine: Engine, policy: SandboxPolicy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """FT-22: 10,000 calls, three of ten hostile: no fault of ours, no leak; memory, descriptors and threads stay."""
    begun = time.monotonic()

    seen, log = _soak(engine, tmp_path / "state", 10_000)

    quarter = len(seen.use) // 4
    early, late = (
        [statistics.median(column) for column in zip(*part, strict=True)]
        for part in (seen.use[quarter : 2 * quarter], seen.use[-quarter:])
    )
    with capsys.disabled():
        print(f"\nsoak: {time.monotonic() - begun:.0f} s, seed {_SEED}; early {early}, late {late}")  # noqa: T201
    _check(seen, log, 10_000)
    assert late[0] <= 1.10 * early[0], f"resident memory grew from {early[0]} to {late[0]}"
    assert late[1] <= early[1] + 8, f"descriptors grew from {early[1]} to {late[1]}"
    assert late[2] <= early[2] + 4, f"threads grew from {early[2]} to {late[2]}"
