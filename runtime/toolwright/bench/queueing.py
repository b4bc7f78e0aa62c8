"""Ten times as many callers as there are places: who is served, who is refused, and how long they wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from toolwright.bench.ground import NARROW, NARROW_PLACES, Ground
from toolwright.bench.load import Load, drive
from toolwright.bench.plan import Plan
from toolwright.bench.server_process import ServerProcess
from toolwright.bench.spread import Spread, rounded
from toolwright.bench.work import NAPS, SMALL, call
from toolwright.domain.call import Isolation
from toolwright.errors import Overloaded

_CALLERS: Final = 10 * NARROW_PLACES
_NAP_S: Final = 0.02
_PAUSE_S: Final = 0.05
"""Of a caller that was refused. Shorter than it is told to wait: callers like that are what a queue is for."""
_QUIET_PAUSE_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Try:
    """One call as its caller saw it."""

    waited_ms: float | None
    """In the queue; None if it was refused."""
    retry_after_s: float = 0.0


def measure_queue(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure, with one more caller beside the crowd that calls something else now and then.

    Raises:
        ToolwrightError: a call ended in a way other than success or `Overloaded`.
    """
    seconds = 2.0 if plan.quick else 10.0
    with ground.server(NARROW) as server:
        for source, arguments in ((NAPS, {"seconds": 0}), (SMALL, None)):
            call(server.client, source, arguments, isolation=Isolation.TOOL)
        quiet = _Quiet(server)
        with quiet:
            load = drive(lambda _: _try(server), _CALLERS, seconds=seconds)
    return {**_crowd(load), "quiet_caller": _tries(quiet.tries)}


def _try(server: ServerProcess) -> _Try:
    found = _attempt(server, crowd=True)
    if found.waited_ms is None:
        time.sleep(_PAUSE_S)
    return found


def _attempt(server: ServerProcess, *, crowd: bool) -> _Try:
    source, arguments = (NAPS, {"seconds": _NAP_S}) if crowd else (SMALL, None)
    try:
        execution = call(server.client, source, arguments, isolation=Isolation.TOOL)
    except Overloaded as refused:
        return _Try(None, refused.retry_after_s)
    return _Try(execution.timing.queue_ms + execution.timing.acquire_ms)


class _Quiet:
    """A caller beside the crowd, as long as the context lasts."""

    def __init__(self, server: ServerProcess) -> None:
        self.tries: list[_Try] = []
        self._server = server
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bench-quiet")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(_QUIET_PAUSE_S):
            self.tries.append(_attempt(self._server, crowd=False))


def _crowd(load: Load[_Try]) -> dict[str, Any]:
    served = [sum(one.waited_ms is not None for one in tries) for tries in load.by_caller]
    return {
        "places": NARROW_PLACES,
        "callers": _CALLERS,
        "seconds": rounded(load.seconds),
        "served_per_second": rounded(sum(served) / load.seconds),
        **_tries(load.answers),
        "fairness": rounded(jain(served)),
        "served_least": min(served),
        "served_most": max(served),
    }


def _tries(tries: Sequence[_Try]) -> dict[str, Any]:
    waits = [one.waited_ms for one in tries if one.waited_ms is not None]
    refused = [one for one in tries if one.waited_ms is None]
    return {
        "served": len(waits),
        "refused": len(refused),
        "refused_with_retry_time": sum(one.retry_after_s > 0 for one in refused),
        "wait_ms": Spread.of(waits).document() if waits else None,
    }


def jain(shares: Sequence[float]) -> float:
    """Return Jain's index: 1 if all have the same share, 1 ÷ their number if one has all."""
    squares = sum(one * one for one in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0
