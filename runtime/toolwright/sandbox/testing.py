"""Sandboxes without containers, for tests of what stands above them. They run no Python text of anyone's.

`ScriptedPool` answers calls from functions of the test's own, by the function name in the source; it
keeps every promise of `base.py` (statuses, limits, cancellation, one key a sandbox) and nothing else.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from toolwright.domain.call import Isolation, ToolCall
from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.outcome import Failure, Outcome, Status, Usage
from toolwright.errors import CallCancelled, Overloaded, SandboxUnavailable
from toolwright.sandbox.base import Cancellation, Lease, SandboxInfo, SandboxKey

Behaviour = Callable[[dict[str, Any], ToolCall, Cancellation], Any]
"""What a scripted function does with its arguments: returns a value, raises, or waits."""


class ScriptedSandbox:
    """Answers calls from `behaviours`, by function name."""

    def __init__(self, behaviours: Mapping[str, Behaviour], container_id: str) -> None:
        """Answer as `behaviours` say; a name that is not there is a LOAD_ERROR."""
        self._behaviours = behaviours
        self.info = SandboxInfo(container_id, "sha256:" + "0" * 64, "scripted")

    def run(self, call: ToolCall, cancellation: Cancellation) -> Outcome:
        """Run one call; see `base.Sandbox.run`."""
        begun = time.monotonic()
        behaviour = self._behaviours.get(call.source.function)
        if behaviour is None:
            name = call.source.function
            return Outcome(Status.LOAD_ERROR, failure=Failure("NotLoaded", f"no function named {name!r}"))
        ended: list[Outcome] = []
        worker = threading.Thread(target=lambda: ended.append(_outcome(behaviour, call, cancellation)), daemon=True)
        woken = threading.Event()
        cancellation.on_cancel(woken.set)
        worker.start()
        deadline = begun + call.limits.wall_time_s
        while worker.is_alive() and not woken.is_set() and time.monotonic() < deadline:
            worker.join(0.002)
        if cancellation.cancelled:
            raise CallCancelled("The call was cancelled; its processes are dead.")
        if worker.is_alive():
            return Outcome(
                Status.TIMEOUT,
                failure=Failure("TimeLimit", f"killed after {call.limits.wall_time_s:g} s"),
                usage=Usage(wall_ms=(time.monotonic() - begun) * 1000),
            )
        return ended[0]


def _outcome(behaviour: Behaviour, call: ToolCall, cancellation: Cancellation) -> Outcome:
    try:
        value = behaviour(json.loads(call.arguments_json), call, cancellation)
    except Exception as fault:  # noqa: BLE001 - whatever the script raises is the tool's error
        return Outcome(Status.TOOL_ERROR, failure=Failure(type(fault).__name__, str(fault)))
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        JsonRules(call.limits.result_bytes).parse(text)
    except (TypeError, ValueError, JsonRefused) as fault:
        return Outcome(Status.RESULT_INVALID, failure=Failure("NotJson", str(fault)))
    return Outcome(Status.SUCCESS, result_json=text, usage=Usage(wall_ms=0.1))


class ScriptedPool:
    """Lends `ScriptedSandbox`es, at most `most` at once, each to one key for life."""

    def __init__(self, behaviours: Mapping[str, Behaviour], most: int = 4) -> None:
        """Lend sandboxes that answer as `behaviours` say."""
        self._behaviours = behaviours
        self._places = threading.BoundedSemaphore(most)
        self._by_key: dict[SandboxKey, ScriptedSandbox] = {}
        self._made = 0
        self._lock = threading.Lock()
        self._closed = False
        self.leases: list[SandboxKey] = []
        """Every lease so far, for the test to look at."""
        self.info = SandboxInfo("", "sha256:" + "0" * 64, "scripted")

    @contextmanager
    def lease(self, key: SandboxKey, *, timeout_s: float, cancellation: Cancellation) -> Iterator[Lease]:
        """Lend one; see `base.SandboxPool.lease`."""
        asked = time.monotonic()
        if self._closed:
            raise SandboxUnavailable("The pool is closed; the tool did not run.")
        while not self._places.acquire(timeout=0.002):
            if cancellation.cancelled:
                raise CallCancelled("The call was cancelled while it waited; the tool did not run.")
            if time.monotonic() - asked > timeout_s:
                raise Overloaded("No sandbox came free in time; the tool did not run.", retry_after_s=1.0)
        placed = time.monotonic()
        try:
            with self._lock:
                self.leases.append(key)
                sandbox = self._by_key.get(key)
                if sandbox is None or key.isolation is Isolation.CALL:
                    sandbox = ScriptedSandbox(self._behaviours, f"scripted-{self._made}")
                    self._made += 1
                    self._by_key[key] = sandbox
            got = time.monotonic()
            yield Lease(sandbox, queue_ms=(placed - asked) * 1000, acquire_ms=(got - placed) * 1000)
        finally:
            self._places.release()

    def close(self) -> None:
        """Lend no more."""
        self._closed = True
