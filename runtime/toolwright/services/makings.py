"""Makings that run to their end even if the client goes away: each in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from toolwright.domain.events import MakingEvent
from toolwright.errors import Overloaded
from toolwright.services.log import service_log

_RETRY_AFTER_S = 10.0


@dataclass(frozen=True, slots=True)
class _End:
    """The making is over, or its reader left; `fault` is what it raised."""

    fault: Exception | None = None


@dataclass(slots=True)
class MakingReader:
    """The events of one making for the client that asked for it."""

    _events: queue.SimpleQueue[MakingEvent | _End] = field(default_factory=queue.SimpleQueue)
    _left: threading.Event = field(default_factory=threading.Event)

    def leave(self) -> None:
        """Stop reading: the client went away. The making goes on."""
        self._left.set()
        self._events.put(_End())

    def __iter__(self) -> Iterator[MakingEvent]:
        """Give the events as they come; raises what the making raised."""
        while not isinstance(event := self._events.get(), _End):
            yield event
        if event.fault is not None:
            raise event.fault

    def put(self, event: MakingEvent | _End) -> None:
        """Hand an event to the reader; dropped if it has left, so that nothing piles up."""
        if not self._left.is_set():
            self._events.put(event)


class Makings:
    """The makings that are running, a bounded number."""

    def __init__(self, *, max_running: int) -> None:
        """Run at most `max_running` at a time."""
        self._max_running = max_running
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._log = service_log("toolwright.services")

    def start(self, make: Callable[[], Iterator[MakingEvent]]) -> MakingReader:
        """Start a making and return its events.

        Raises:
            Overloaded: too many are running. Nothing was started.
        """
        reader = MakingReader()
        # A daemon: one that hangs in a model's endpoint must not keep the process from ending.
        thread = threading.Thread(target=self._run, args=(make, reader), name="making", daemon=True)
        with self._lock:
            if len(self._threads) >= self._max_running:
                raise Overloaded(f"{self._max_running} tools are being made; no more at a time", _RETRY_AFTER_S)
            self._threads.add(thread)
        thread.start()
        return reader

    @property
    def running(self) -> int:
        """How many are running."""
        return len(self._threads)

    def _run(self, make: Callable[[], Iterator[MakingEvent]], reader: MakingReader) -> None:
        fault: Exception | None = None
        try:
            for event in make():
                reader.put(event)
        except Exception as raised:  # noqa: BLE001 - handed to the reader, or logged if there is none
            fault = raised
            self._log.warning("making ended early", reason=type(raised).__name__, text=str(raised)[:500])
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())
            reader.put(_End(fault))
