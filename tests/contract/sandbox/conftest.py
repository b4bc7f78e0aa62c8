"""Every kind of pool, so that the honest fake and Docker are held to one contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.contract.sandbox.functions import BEHAVIOURS
from toolwright.sandbox.base import SandboxPool
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.pool import PoolSize
from toolwright.sandbox.testing import ScriptedPool

MakePool = Callable[[int], SandboxPool]


@pytest.fixture(params=["scripted", "docker"])
def make_pool(request: pytest.FixtureRequest) -> Iterator[MakePool]:
    """Make a pool of each kind, of at most so many sandboxes."""
    with ExitStack() as opened:

        def make(most: int) -> SandboxPool:
            pool: SandboxPool
            if request.param == "scripted":
                pool = ScriptedPool(BEHAVIOURS, most=most)
            else:
                engine: Engine = request.getfixturevalue("engine")
                policy: SandboxPolicy = request.getfixturevalue("policy")
                pool = open_pool(engine, policy, PoolSize(ready=1, most=most))
            opened.callback(pool.close)
            return pool

        yield make


@pytest.fixture
def pool(make_pool: MakePool) -> SandboxPool:
    """A pool of two sandboxes."""
    return make_pool(2)
