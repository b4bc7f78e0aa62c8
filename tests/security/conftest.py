"""Fixtures of the security tier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest

from tests.security.kit.lab import SERVER_VARIABLE, Canaries, Counts, Lab, unset_at_end
from tests.security.kit.observer import Observer, observing
from tests.security.kit.sabotage import Layer, Sabotaged, sabotaged
from toolwright.domain.call import Isolation
from toolwright.domain.limits import Limits
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.memory import MemoryStore
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.pool import PoolSize

Sabotage = Callable[..., AbstractContextManager[Sabotaged]]
"""(layers to leave out, **other fields of the policy) → a weakened sandbox."""


@pytest.fixture(scope="session")
def observer(engine: Engine, policy: SandboxPolicy) -> Iterator[Observer]:
    """The view from outside."""
    with observing(engine, policy.image_id) as looking:
        yield looking


@pytest.fixture(scope="session")
def lab(
    engine: Engine, policy: SandboxPolicy, observer: Observer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """The range. Its pool is its own, so that no other test's call comes between an attack and its checks."""
    size = PoolSize(ready=1, most=4)
    with ExitStack() as stack:
        stack.enter_context(unset_at_end(SERVER_VARIABLE))
        canaries = Canaries.plant(tmp_path_factory.mktemp("host"))
        pool = open_pool(engine, policy, size, Isolation.TENANT)
        stack.callback(pool.close)
        store = MemoryStore()

        def containers() -> int:
            counts = pool.counts()
            return sum(counts[kind] for kind in ("blank", "idle", "leased", "starting"))

        yield Lab(SandboxExecutor(pool, store, Limits()), store, observer, canaries, Counts(containers, size.most))


@pytest.fixture(scope="session")
def sabotage(engine: Engine, policy: SandboxPolicy) -> Sabotage:
    """Make sandboxes without some layers: there a probe has to succeed that is denied in ours."""

    def weakened(without: Layer = Layer.NOTHING, **changes: Any) -> AbstractContextManager[Sabotaged]:
        return sabotaged(engine, policy, without, **changes)

    return weakened
