"""Calls as the tests of real containers make them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from docker.errors import NotFound

from toolwright.domain.call import Isolation, ToolCall
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Outcome
from toolwright.domain.source import ToolSource
from toolwright.sandbox.base import Cancellation, SandboxKey
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.pool import WarmPool

KEY = SandboxKey.of(Isolation.TENANT, "tests", "")
FINE = "def f():\n    return 'fine'"
SLEEP = "import time\ndef f(seconds=60):\n    time.sleep(seconds)\n    return 'slept'"


def call(code: str = FINE, *, limits: Limits | None = None, **arguments: Any) -> ToolCall:
    """Return a call of the function `f` of a source."""
    return ToolCall(ToolSource(code, "f"), json.dumps(arguments), limits or Limits())


def run(
    pool: WarmPool, what: ToolCall, key: SandboxKey = KEY, switch: Cancellation | None = None
) -> tuple[str, Outcome]:
    """Lease and run; return which container it was, and the outcome."""
    switch = switch or Cancellation()
    with pool.lease(key, timeout_s=30, cancellation=switch) as lease:
        return lease.sandbox.info.container_id, lease.sandbox.run(what, switch)


def exists(engine: Engine, container_id: str) -> bool:
    """Whether the engine still has the container, in whatever state."""
    try:
        engine.client.api.inspect_container(container_id)
    except NotFound:
        return False
    return True


def eventually(holds: Callable[[], object], within_s: float = 5.0) -> float:
    """Wait until it holds; return how long that took, in seconds. Fails if it takes longer than `within_s`."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < within_s, f"not within {within_s} s"
        time.sleep(0.01)
    return time.monotonic() - begun
