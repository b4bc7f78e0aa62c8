"""Tools for tasks that have none yet: made when a question first needs one, once, and not over and over."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing
from typing import Protocol

from toolwright.calling.patience import Patience
from toolwright.calling.quoting import shorten
from toolwright.domain.events import Declined, Failed, Made, MakingEvent, NotMade
from toolwright.domain.job import JobKind
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import NotFound
from toolwright.llm.ledger import Meter, Record
from toolwright.making.journal import was_refused
from toolwright.registry.base import Store
from toolwright.sandbox.base import Cancellation

COOL_DOWN_S = 600.0
"""Seconds after a making of which no attempt passed, in which no question starts another: it would cost the same
again and most likely end the same. Whoever asks for the making itself need not wait."""
MAX_REASON_CHARS = 500


class ToolMaker(Protocol):
    """Makes a tool where the dispatcher finds a task without one: `making.workshop.Workshop`, by its jobs."""

    def make(
        self,
        task: Task,
        *,
        kind: JobKind,
        cancellation: Cancellation | None,
        deadline_s: float | None,
        record: Record | None,
    ) -> Generator[MakingEvent, None, None]:
        """Make a tool for `task`; the last event is `Made` or `NotMade`."""


class PendingTasks:
    """Has tools made for tasks that have none. Safe to use from many threads."""

    def __init__(self, store: Store, maker: ToolMaker) -> None:
        """Let `maker` make what is missing in `store`."""
        self._store, self._maker = store, maker

    def tool_for(
        self, name: str, meter: Meter, patience: Patience
    ) -> Generator[MakingEvent | Declined | Failed, None, RegisteredTool | None]:
        """Return the tool of the task `name`, made if need be; None once it is said that there is none.

        A second caller, on whichever server, has the first one's making: it gets the steps so far and then the rest.
        To go away does not end a making that was begun.

        Raises:
            NotFound: no such task.
            ToolwrightError: what `ToolMaker.make`, `Patience.check` and the store raise.
        """
        tool = self._there(name)
        if tool is not None:
            return tool
        kept = newest_version(self._store, name)
        # Made once, and out of use for a reason: what is made again would mostly be the same, and wait again.
        resting = not_in_use(kept) if kept is not None else self._resting(name)
        if resting:
            yield Declined(resting, meter.tokens())
            return None
        return (yield from self._made(self._store.get_task(name), meter, patience))

    def _there(self, name: str) -> RegisteredTool | None:
        try:
            return self._store.get_tool(name)
        except NotFound:
            return None

    def _resting(self, name: str) -> str:
        """Return why no tool is made for the task `name` now; empty if one may be."""
        refused = [making for making in self._store.list_makings(name) if was_refused(making)]
        if not refused:
            return ""
        last = refused[-1]
        age_s = time.time() - (last.finished_at or 0.0)
        if age_s >= COOL_DOWN_S:
            return ""
        return (
            f"no tool could be made for {name!r} {age_s / 60:.0f} min ago; a question starts that anew after "
            f"{COOL_DOWN_S / 60:.0f} min, and making the tool explicitly does at once. "
            f"What happened: {shorten(last.failure, MAX_REASON_CHARS)}"
        )

    def _made(
        self, task: Task, meter: Meter, patience: Patience
    ) -> Generator[MakingEvent | Failed, None, RegisteredTool | None]:
        reason = "the making ended early"
        making = self._maker.make(
            task,
            kind=JobKind.ONLINE,
            cancellation=patience.cancellation,
            deadline_s=patience.remaining_s,
            record=meter.record,
        )
        with closing(making):
            for event in making:
                yield event
                if isinstance(event, Made) and event.tool.state is ToolState.ACTIVE:
                    return self._store.get_tool(event.tool.reference)
                if isinstance(event, Made):
                    made = self._store.get_tool(event.tool.reference)
                    yield Failed(f"a tool was made: {not_in_use(made)}", "", None, meter.tokens())
                    return None
                if isinstance(event, NotMade):
                    reason = event.reason
        yield Failed(f"no tool could be made for {task.name!r}: {reason}", "", None, meter.tokens())
        return None


def newest_version(store: Store, name: str) -> RegisteredTool | None:
    """Return the version of `name` that was admitted last, whatever became of it; None if there is none."""
    found, number = None, 1
    while True:  # few: a name that has an active version is not asked about
        try:
            found = store.get_tool(f"{name}@{number}")
        except NotFound:
            return found
        number += 1


def not_in_use(tool: RegisteredTool) -> str:
    """Return why a version answers no questions now, and what would change that."""
    if tool.state is ToolState.VERIFIED:
        return (
            f"{tool.reference} waits until a person approves it (`toolwright tools approve {tool.reference}`); "
            "ask again then"
        )
    return f"{tool.reference} is {tool.state.value}, so it is not used (`toolwright tools history {tool.version.name}`)"
