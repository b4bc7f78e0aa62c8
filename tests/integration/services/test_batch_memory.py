"""A hundred thousand calls in one batch: the server's memory is the same at the end as at the beginning."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from toolwright.client import BatchCall, Client
from toolwright.domain.source import ToolSource
from toolwright.sandbox.engine import Engine

CALLS = 100_000
_SAMPLES = 200
_MAY_GROW = 1.05
"""Last quarter by first."""

ADD = ToolSource("def add(a: int, b: int) -> int:\n    return a + b\n", "add")

STAND_INS = """
import json, sys
from toolwright.services.testing import ScriptedExecutor, parts, sample_execution, serving

class Forgetful(ScriptedExecutor):
    def execute(self, request, **_):
        return sample_execution()

with serving(parts(executor=Forgetful()), address="127.0.0.1:0") as address:
    print(json.dumps(address), flush=True)
    sys.stdin.read()
"""
CONTAINERS = """
import json, sys
from toolwright.server import open_server
from toolwright.settings import Settings

with open_server(Settings(state_dir=sys.argv[1]), address="127.0.0.1:0") as server:
    print(json.dumps(server.address), flush=True)
    server.wait()
"""


@contextmanager
def server_process(program: str, directory: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Start a server in a process of its own; give its address and the process."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("TOOLWRIGHT_")},
    )
    with process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline()), psutil.Process(process.pid)
            process.terminate()
            process.wait(60)
        finally:
            process.kill()


def memory_over(address: str, process: psutil.Process, calls: int) -> list[int]:
    """Run a batch of `calls`; return the server's resident bytes as it goes, evenly spread."""
    sizes: list[int] = []
    with Client(address) as client:
        batch = (BatchCall(str(number), ADD, {"a": number, "b": 1}) for number in range(calls))
        for count, answer in enumerate(client.execute_batch(batch), start=1):
            assert answer.error is None, answer.error
            if count % (calls // _SAMPLES) == 0:
                sizes.append(process.memory_info().rss)
    assert count == calls
    return sizes


def check_flat(sizes: list[int]) -> None:
    """Fail if the last quarter is above the first."""
    quarter = len(sizes) // 4
    first, last = statistics.fmean(sizes[:quarter]), statistics.fmean(sizes[-quarter:])
    curve = [round(size / 2**20, 1) for size in sizes[:: _SAMPLES // 10]]
    assert last < first * _MAY_GROW, f"the server's memory grows, in MiB: {curve}"


@pytest.mark.slow
@pytest.mark.timeout(2_400)
def test_memory_is_flat_over_stand_ins(tmp_path: Path) -> None:
    """What gRPC and the batch itself keep of a call is gone with its answer."""
    with server_process(STAND_INS, tmp_path) as (address, process):
        check_flat(memory_over(address, process, CALLS))
        assert process.num_threads() < 60


@pytest.mark.slow
@pytest.mark.timeout(2_400)
def test_memory_is_flat_over_containers(engine: Engine, tmp_path: Path) -> None:
    """The same with containers, records and all; containers are replaced a hundred times on the way."""
    with server_process(CONTAINERS, tmp_path) as (address, process):
        check_flat(memory_over(address, process, CALLS))
        assert process.num_threads() < 60
