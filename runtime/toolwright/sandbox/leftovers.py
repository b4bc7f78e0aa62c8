"""Removes containers that may be there although nobody holds them.

An engine can make a container and fail to say so, or fail to remove one. Each container has a name of its own from
before it is asked for, so that it can be removed by that, whether or not its id was ever heard of.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import structlog
from docker.errors import APIError

from toolwright.sandbox.engine import ENGINE_FAULTS, TIMEOUT_S, Engine

log = structlog.get_logger(__name__)

SETTLE_S: Final = 2.0 * TIMEOUT_S
"""An engine that broke off in the middle of making a container may still finish it; after this it has not, in
seconds."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 10.0


@dataclass(frozen=True, slots=True)
class _Left:
    """One that may be there."""

    name: str
    gone: Callable[[], None]
    until: float
    """When its absence is believed, by the monotonic clock."""


class Leftovers:
    """Looks for what was left, in a thread that lives only while there may be something."""

    def __init__(self, engine: Engine) -> None:
        """Remove from `engine`."""
        self._engine = engine
        self._lock = threading.Lock()
        self._left: list[_Left] = []
        self._looking = False
        self._stop = threading.Event()

    def add(self, name: str, gone: Callable[[], None], *, unsettled: bool) -> None:
        """Remove the container `name` as soon as that can be done.

        Args:
            name: of the container.
            gone: called once, when it is surely not there.
            unsettled: it may still appear; else it is gone when the engine has none of that name.
        """
        with self._lock:
            self._left.append(_Left(name, gone, time.monotonic() + (SETTLE_S if unsettled else 0.0)))
            if self._looking or self._stop.is_set():
                return
            self._looking = True
        threading.Thread(target=self._look, name="leftovers", daemon=True).start()

    def close(self) -> None:
        """Try once more, and no longer: what is left then is the next start's, which knows it by its label."""
        self._stop.set()
        self._sweep()

    def _look(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stop.wait(pause_s):
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            self._sweep()
            with self._lock:
                if not self._left:
                    self._looking = False
                    return

    def _sweep(self) -> None:
        with self._lock:
            left = list(self._left)
        for one in left:
            if not self._is_gone(one):
                continue
            with self._lock:
                if one not in self._left:  # another sweep was faster
                    continue
                self._left.remove(one)
            one.gone()

    def _is_gone(self, one: _Left) -> bool:
        try:
            self._engine.client.api.remove_container(one.name, force=True, v=True)
        except APIError as fault:
            return fault.status_code == HTTPStatus.NOT_FOUND and time.monotonic() >= one.until
        except ENGINE_FAULTS:
            return False
        log.info("leftover_removed", container=one.name)
        return True
