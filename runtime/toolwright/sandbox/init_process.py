"""The first process of a container, where it can be reached from here: the quickest way to end everything in it."""

from __future__ import annotations

import os
import select
import signal
import threading
from pathlib import Path

from toolwright.sandbox.engine import ENGINE_FAULTS, Engine

GONE_S = 0.5
"""Longest wait for it to be gone once it was killed, in seconds. It takes a few milliseconds on an idle machine."""


class InitProcess:
    """PID 1 of a container, by a descriptor of the process: it never means another one, however numbers are reused.

    The kernel ends PID 1 only after every other process in the container, none of which can get in the way. That
    takes a right that a server seldom has (root on the engine's own machine); without it the engine is asked.
    """

    def __init__(self, descriptor: int) -> None:
        """Take over a descriptor of `os.pidfd_open`."""
        self._descriptor = descriptor
        self._lock = threading.Lock()

    @classmethod
    def find(cls, engine: Engine, container_id: str) -> InitProcess | None:
        """Return the container's first process; None where it cannot be reached from here."""
        try:
            pid = int(engine.client.api.inspect_container(container_id)["State"]["Pid"])
            descriptor = os.pidfd_open(pid)
        except ENGINE_FAULTS:
            return None
        try:
            signal.pidfd_send_signal(descriptor, 0)
            # The engine may be on another machine, where this number is another process.
            if container_id in Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii", errors="replace"):
                return cls(descriptor)
        except OSError:
            pass
        os.close(descriptor)
        return None

    def kill(self) -> bool:
        """Kill it, and all that runs in the container with it; return whether all of that is gone."""
        with self._lock:  # once closed, the descriptor's number may be another's
            if self._descriptor < 0:
                return False
            try:
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            except ProcessLookupError:
                return True
            except OSError:
                return False
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            # A container that was frozen from outside does not die before it is thawed: then this is in vain.
            return bool(poll.poll(GONE_S * 1000))

    def close(self) -> None:
        """Let go of it. Safe to call twice."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
