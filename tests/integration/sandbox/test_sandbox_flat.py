"""Nothing grows with the number of calls: descriptors, threads, containers, memory."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.integration.sandbox.conftest import OpenPool
from tests.integration.sandbox.helpers import call, eventually, run
from toolwright.attacks.observer import Observer
from toolwright.domain.call import ExecutionRequest, Isolation
from toolwright.domain.isolation import IsolationPolicy
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.memory import MemoryStore
from toolwright.sandbox.base import SandboxKey
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import LABEL_OWNER

pytestmark = pytest.mark.integration

MIXED = (
    "def f():\n    return 'fine'",
    "def f():\n    raise ValueError('no')",
    "def f():\n    print('x' * 100_000)",
    "import os\ndef f():\n    open('left', 'w').write('x' * 100_000)\n    os._exit(3)",
    "def f(:",
)


def held(engine: Engine) -> tuple[int, int, int]:
    """Return how many descriptors, threads and containers this process has."""
    gc.collect()
    containers = engine.client.containers.list(all=True, filters={"label": f"{LABEL_OWNER}={owner_label()}"})
    descriptors = [path for path in Path("/proc/self/fd").iterdir() if path.exists()]
    return len(descriptors), threading.active_count(), len(containers)


def test_five_hundred_calls_leave_nothing_behind(
    small_pool: OpenPool, engine: Engine, observer: Observer, record_property: Callable[[str, object], None]
) -> None:
    """In the server and in the container: the same numbers after 500 calls of every kind as after the first fifty."""
    pool = small_pool(ready=1, most=2)
    executor = SandboxExecutor(pool, MemoryStore(), Limits(), isolation=IsolationPolicy(Isolation.TENANT))
    container = ""

    def serve(count: int) -> None:
        nonlocal container
        for number in range(count):
            request = ExecutionRequest(ToolSource(MIXED[number % len(MIXED)], "f"), tenant="tests")
            reply = executor.execute(request)
            assert reply.outcome.status is not Status.INFRASTRUCTURE
            container = reply.provenance.container_id

    serve(50)
    eventually(lambda: pool.counts()["blank"] == 1)
    first, before = container, held(engine)
    rss = psutil.Process().memory_info().rss
    agents = [one.host_pid for one in observer.processes(container)]
    descriptors = [len(observer.fds(pid)) for pid in agents]
    serve(450)
    eventually(lambda: held(engine) == before)

    assert container == first, "one container serves all of a tenant's calls"
    assert [one.host_pid for one in observer.processes(container)] == agents
    assert [len(observer.fds(pid)) for pid in agents] == descriptors
    assert observer.scratch(container) == []
    grown = psutil.Process().memory_info().rss - rss
    record_property("server_rss_growth_bytes", grown)
    assert grown < 16 << 20


@pytest.mark.slow
def test_containers_that_come_and_go_leave_nothing_behind(small_pool: OpenPool, engine: Engine) -> None:
    """A dozen containers, one after another: every stream, thread and container of theirs is gone."""
    pool = small_pool(ready=1, most=2)
    run(pool, call())
    eventually(lambda: pool.counts()["blank"] == 1)
    before = held(engine)
    for number in range(12):
        run(pool, call(), SandboxKey(f"tenant {number}", ""))
    eventually(lambda: pool.counts()["blank"] + pool.counts()["idle"] == 2)

    eventually(lambda: _close_to(held(engine), before), within_s=10)


def _close_to(now: tuple[int, int, int], before: tuple[int, int, int]) -> bool:
    # The HTTP client to the engine keeps a few connections; what matters is that none comes with each container.
    return now[0] <= before[0] + 4 and now[1] <= before[1] and now[2] <= before[2]
