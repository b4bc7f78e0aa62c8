"""What the tests of real containers share: pools of their own, and eyes outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from toolwright.attacks.observer import Observer, observing
from toolwright.sandbox.container import DockerSandbox, started
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.pool import PoolSize, WarmPool
from toolwright.sandbox.uids import UidRanges

OpenPool = Callable[..., WarmPool]
"""(ready=1, most=2, **changes of the policy) → WarmPool, closed at the end of the test."""
Start = Callable[..., DockerSandbox]
"""(**changes of the policy) → DockerSandbox, destroyed at the end of the test."""


@pytest.fixture
def small_pool(engine: Engine, policy: SandboxPolicy) -> Iterator[OpenPool]:
    """Open pools that a test may harm."""
    with ExitStack() as opened:

        def make(*, ready: int = 1, most: int = 2, **changes: Any) -> WarmPool:
            pool = open_pool(engine, replace(policy, **changes), PoolSize(ready=ready, most=most))
            opened.callback(pool.close)
            return pool

        yield make


@pytest.fixture
def start(engine: Engine, policy: SandboxPolicy) -> Iterator[Start]:
    """Start single containers."""
    uids = UidRanges(remapped=engine.remaps_users)
    with ExitStack() as opened:

        def make(**changes: Any) -> DockerSandbox:
            changed = replace(policy, **changes)
            return opened.enter_context(started(engine, changed, uid_base=uids.take(), owner=owner_label()))

        yield make


@pytest.fixture(scope="session")
def observer(engine: Engine, policy: SandboxPolicy) -> Iterator[Observer]:
    """Looks into containers from the host's side."""
    with observing(engine, policy.image_id) as eyes:
        yield eyes
