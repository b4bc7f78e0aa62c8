"""Sandboxes of this process, without a server: for what a server would not do, or not without doing more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from toolwright.bench.ground import Ground
from toolwright.bench.load import drive
from toolwright.bench.work import ARGUMENTS, SMALL
from toolwright.domain.call import Isolation, ToolCall
from toolwright.domain.outcome import Status
from toolwright.errors import SandboxUnavailable
from toolwright.images.recipe import images_root
from toolwright.sandbox.base import Cancellation, SandboxKey, SandboxPool
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.policy import SandboxPolicy, load_seccomp_profile
from toolwright.sandbox.pool import PoolSize

_WAIT_S: Final = 60.0
_KEY: Final = SandboxKey("bench", SMALL.digest, Isolation.TOOL)


@dataclass(frozen=True, slots=True)
class SandboxesAlone:
    """A pool under the production policy."""

    pool: SandboxPool

    def call(self) -> None:
        """Make one call.

        Raises:
            SandboxUnavailable: no container starts, or it did not succeed.
        """
        cancellation = Cancellation()
        with self.pool.lease(_KEY, timeout_s=_WAIT_S, cancellation=cancellation) as lease:
            outcome = lease.sandbox.run(ToolCall(SMALL, json.dumps(ARGUMENTS)), cancellation)
        if outcome.status is not Status.SUCCESS:
            raise SandboxUnavailable(f"a call of the bench ended with {outcome.status.value}")

    def per_second(self, callers: int, seconds: float) -> float:
        """Return the calls a second that so many callers reach together; containers start in a time before."""
        drive(lambda _: self.call(), callers, seconds=seconds / 2)
        return drive(lambda _: self.call(), callers, seconds=seconds).per_second


@contextmanager
def sandboxes_alone(ground: Ground, runtime: str, size: PoolSize) -> Iterator[SandboxesAlone]:
    """Open a pool under `runtime` that was never asked for anything, and so knows of no demand.

    Raises:
        SandboxUnavailable: the engine does not have the runtime.
    """
    policy = SandboxPolicy(ground.image_id, load_seccomp_profile(images_root()), runtime=runtime)
    with closing(open_pool(ground.engine, policy, size, proven=True)) as pool:
        yield SandboxesAlone(pool)
