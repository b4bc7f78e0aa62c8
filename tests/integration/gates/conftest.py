"""A court for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.integration.gates.court import Court
from toolwright.domain.limits import Limits
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.memory import MemoryStore
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.pool import PoolSize


@pytest.fixture(scope="session")
def court(engine: Engine, policy: SandboxPolicy) -> Iterator[Court]:
    """A court with a pool of its own, since a container belongs to a tool here."""
    limits = Limits(wall_time_s=3.0, load_time_s=3.0)
    pool = open_pool(engine, replace(policy, limits=limits), PoolSize(ready=2, most=8))
    yield Court(SandboxExecutor(pool, MemoryStore(), limits))
    pool.close()
