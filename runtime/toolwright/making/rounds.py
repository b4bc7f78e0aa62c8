"""A round: several attempts at one time, each in a thread of its own; their steps as they come."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from toolwright.domain.events import MakingEvent
from toolwright.making.tried import Tried
from toolwright.sandbox.base import Cancellation

Steps = Generator[MakingEvent, None, None]


@dataclass(frozen=True, slots=True)
class _End:
    tried: Tried
    fault: Exception | None = None


def run_round(
    tried: Sequence[Tried], attempt: Callable[[Tried], Steps], cancellation: Cancellation
) -> Generator[MakingEvent, None, None]:
    """Make all attempts, and yield their steps as they come.

    One alone is made in this thread, step by step. Of several, each ends on its own; if none of them passed, the fault
    of the first that had one is raised. Closing the generator cancels `cancellation` and waits for those that are under
    way.
    """
    if len(tried) == 1:
        yield from attempt(tried[0])
        return
    steps: queue.SimpleQueue[MakingEvent | _End] = queue.SimpleQueue()
    threads = [threading.Thread(target=_run, args=(one, attempt, steps), daemon=True) for one in tried]
    for thread in threads:
        thread.start()
    faults: dict[int, Exception] = {}
    try:
        left = len(threads)
        while left:
            step = steps.get()
            if not isinstance(step, _End):
                yield step
                continue
            left -= 1
            if step.fault is not None:
                faults[step.tried.number] = step.fault
    except BaseException:
        cancellation.cancel()
        raise
    finally:
        for thread in threads:
            thread.join()
    if faults and not any(one.verified for one in tried):
        raise faults[min(faults)]


def _run(one: Tried, attempt: Callable[[Tried], Steps], steps: queue.SimpleQueue[MakingEvent | _End]) -> None:
    fault: Exception | None = None
    try:
        for step in attempt(one):
            steps.put(step)
    except Exception as raised:  # noqa: BLE001 - raised again where the round is awaited
        fault = raised
    finally:
        steps.put(_End(one, fault))
