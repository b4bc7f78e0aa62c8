"""The events of one making, for as many readers as want them: each gets all, from the first on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from toolwright.calling.patience import Patience
from toolwright.domain.events import MakingEvent


@dataclass(slots=True)
class Feed:
    """Events so far, and whether more will come. One thread writes, any number read."""

    _events: list[MakingEvent] = field(default_factory=list)
    _ended: bool = False
    _fault: Exception | None = None
    _change: threading.Condition = field(default_factory=threading.Condition)

    def put(self, event: MakingEvent) -> None:
        """Add an event."""
        with self._change:
            self._events.append(event)
            self._change.notify_all()

    def end(self, fault: Exception | None = None) -> None:
        """Say that no more will come; `fault` is raised where they are read."""
        with self._change:
            self._ended, self._fault = True, fault
            self._change.notify_all()

    def follow(self, patience: Patience) -> Iterator[MakingEvent]:
        """Give all events, those to come as they do, until the end.

        Raises:
            CallCancelled, DeadlineExceeded: nobody waits any more.
            Exception: what ended the making, if it was a fault.
        """
        patience.cancellation.on_cancel(self._wake)
        try:
            told = 0
            while (event := self._next(told, patience)) is not None:
                told += 1
                yield event
        finally:
            patience.cancellation.forget(self._wake)

    def _next(self, told: int, patience: Patience) -> MakingEvent | None:
        with self._change:
            while len(self._events) <= told:
                if self._fault is not None:
                    raise self._fault
                if self._ended:
                    return None
                patience.check()
                self._change.wait(patience.remaining_s)
            patience.check()
            return self._events[told]

    def _wake(self) -> None:
        with self._change:
            self._change.notify_all()
