"""Making tools anew whose version was held back: in the background, one at a time, and not over and over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import structlog

from toolwright.domain.events import Made, MakingEvent, NotMade
from toolwright.domain.feedback_policy import FeedbackPolicy
from toolwright.domain.job import JobKind
from toolwright.domain.lifecycle import POLICY_ACTOR, ToolEvent
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import ToolwrightError
from toolwright.lifecycle.relearn import task_with
from toolwright.registry.base import Store

_RETRY_S: Final = 60.0
"""After a fault that may pass: a model's endpoint, the registry."""

log = structlog.get_logger(__name__)


class ToolMaker(Protocol):
    """Makes tools: `server.configured.ConfiguredMaker`."""

    def make(self, task: Task, *, kind: JobKind) -> Iterator[MakingEvent]:
        """Make a tool for `task`; the last event is `Made` or `NotMade`."""


class Remaker:
    """Has tools made anew from their task and the failures that were reported. `start` it; `close` it at the end."""

    def __init__(
        self, store: Store, maker: ToolMaker, policy: FeedbackPolicy, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Take tasks and failures from `store`, and let `maker` do the work; `clock` gives seconds since 1970."""
        self._store, self._maker, self._policy, self._clock = store, maker, policy, clock
        self._due: dict[str, float] = {}
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="remaking", daemon=True)

    def start(self) -> None:
        """Begin to make what is wanted, what an earlier server had no time for first of all."""
        self._thread.start()

    def close(self) -> None:
        """Begin with nothing more. A making that runs is left behind: it is a daemon's, and its record says how far."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def want(self, name: str) -> None:
        """Have a tool of this name made anew, once its task has rested since its last making."""
        try:
            due = self._rested_at(name)
        except ToolwrightError as fault:
            log.warning("not made anew yet", tool=name, reason=str(fault))
            due = self._clock() + _RETRY_S
        with self._changed:
            self._due.setdefault(name, due)
            self._changed.notify_all()

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names that wait to be made anew."""
        with self._changed:
            return tuple(self._due)

    def remake(self, name: str) -> None:
        """Make a tool of this name anew, now.

        Raises:
            ToolwrightError: what the store, the maker and the models raise.
        """
        task = self._store.get_task(name)
        failures = self._store.feedback.failures(name, limit=self._policy.remake_failures)
        widened = task_with(task, failures)
        added = len(widened.training) + len(widened.held_out) - len(task.training) - len(task.held_out)
        log.warning("making anew", tool=name, failures=added)
        for event in self._maker.make(widened, kind=JobKind.REMAKE):
            match event:
                case Made(tool=tool) if tool.state is ToolState.QUARANTINED:
                    log.warning("made the same again", tool=tool.reference, state=tool.state.value)
                case Made(tool=tool, attempts=attempts):
                    log.warning("made anew", tool=tool.reference, state=tool.state.value, attempts=attempts)
                case NotMade(reason=reason, attempts=attempts):
                    log.warning("not made anew", tool=name, attempts=attempts, reason=reason[:500])
                case _:
                    pass

    def _left_over(self) -> Iterator[str]:
        """Yield names whose newest version the policy holds back, and of which no making began since."""
        after = ""
        while page := self._store.list_tools(after=after):
            after = page[-1].version.name
            for tool in page:
                if tool.state is ToolState.QUARANTINED and self._is_owed(tool):
                    yield tool.version.name

    def _is_owed(self, tool: RegisteredTool) -> bool:
        name, after = tool.version.name, 0
        held: ToolEvent | None = None
        while events := self._store.lifecycle.events(name, after=after):
            after = events[-1].event_id
            moves = [event for event in events if event.digest == tool.version.digest and event.to_state is not None]
            held = moves[-1] if moves else held
        if held is None or held.actor != POLICY_ACTOR:
            return False
        return all(making.started_at < held.at for making in self._store.list_makings(name))

    def _rested_at(self, name: str) -> float:
        started = [making.started_at for making in self._store.list_makings(name)]
        return max(started, default=0.0) + self._policy.remake_cool_down_s

    def _run(self) -> None:
        try:
            for owed in self._left_over():
                self.want(owed)
        except ToolwrightError as fault:
            log.warning("what is to be made anew was not read", reason=str(fault)[:500])
        while (name := self._next()) is not None:
            try:
                self.remake(name)
            except ToolwrightError as fault:  # what is missing now may be there at the next breach
                log.warning("not made anew", tool=name, reason=str(fault)[:500])
            except Exception:  # a fault of ours must not end all later makings
                log.exception("not made anew", tool=name)

    def _next(self) -> str | None:
        """Wait for a name that is due, and return it; None at the end."""
        with self._changed:
            while not self._ended:
                name = min(self._due, key=lambda wanted: self._due[wanted], default=None)
                left_s = 1.0 if name is None else self._due[name] - self._clock()
                if name is not None and left_s <= 0:
                    del self._due[name]
                    return name
                self._changed.wait(min(max(left_s, 0.01), 60.0))
            return None
