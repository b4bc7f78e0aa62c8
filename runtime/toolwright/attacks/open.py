"""Opens a range: containers under a policy, a record, a view from outside, and secrets that no attack may find."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from toolwright.attacks.canaries import planted
from toolwright.attacks.lab import Lab, Range
from toolwright.attacks.observer import observing
from toolwright.domain.call import Isolation
from toolwright.domain.isolation import IsolationPolicy
from toolwright.domain.limits import Limits
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.memory import MemoryStore
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.pool import PoolSize

_SIZE: Final = PoolSize(ready=1, most=4)


@contextmanager
def open_lab(engine: Engine, policy: SandboxPolicy, directory: Path) -> Iterator[Lab]:
    """Open a range of its own: no other call comes between an attack and its checks.

    Args:
        engine: where.
        policy: of the containers that are attacked.
        directory: a secret file is planted here until the end.

    Raises:
        SandboxUnavailable, ImageMissing, EngineUnavailable: no container can be started.
    """
    with ExitStack() as stack:
        observer = stack.enter_context(observing(engine, policy.image_id))
        canaries = stack.enter_context(planted(directory))
        pool = open_pool(engine, policy, _SIZE)
        stack.callback(pool.close)
        store = MemoryStore()

        def containers() -> int:
            counts = pool.counts()
            return sum(counts[kind] for kind in ("blank", "idle", "leased", "starting"))

        executor = SandboxExecutor(pool, store, Limits(), isolation=IsolationPolicy(Isolation.TENANT))
        yield Lab(Range(engine, policy, executor, store, observer, canaries, containers, _SIZE.most))
