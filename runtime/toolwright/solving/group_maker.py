"""Tools for groups of misses, made in the background as soon as there are enough answers.

Nothing is kept here that must outlive the process: groups, answers and who makes what stand in the registry. A group
is held by a lease that is renewed while its tool is made, so that of several servers one does that, and so that what a
killed server had begun is taken up again.

The making itself is a job with a lease of its own (`making.crew`), and that of a group cannot be left to it: a job is
for a task, and a group has none before the maker was paid for its name, and still has to be told how it ended when the
job is over. Whoever takes a group up asks for the same task, and so finds the job of the server before it.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Self

from toolwright.calling.models import MAKING, Models
from toolwright.domain.answers import infer_kind
from toolwright.domain.events import Made, MakingEvent, NotMade
from toolwright.domain.job import JobKind
from toolwright.domain.miss import GroupState, Miss, MissGroup
from toolwright.domain.record import Role, TokenUse
from toolwright.domain.task import Example, Task
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import InvalidInput, NotFound, ToolwrightError
from toolwright.llm.ledger import Meter
from toolwright.registry.base import Store
from toolwright.sandbox.base import Cancellation
from toolwright.settings import DispatchSettings
from toolwright.solving.misses import TENANT
from toolwright.solving.naming import name_for
from toolwright.solving.pending import ToolMaker, newest_version

LEASE_S = 8.0
RENEWED_EVERY_S = 2.0
AFTER_FAULT_S = 30.0
"""Seconds after a making that a fault of a service ended, before it is tried again."""
MAX_FAILURE_CHARS = 4_000
_TRAINING = 3
_END_S = 2.0
_log = logging.getLogger("toolwright.solving")


class GroupMaker:
    """Looks for groups that are due and has their tools made. Between `with` and its end, in threads of its own."""

    def __init__(self, *, models: Models, store: Store, maker: ToolMaker, settings: DispatchSettings) -> None:
        """Let `maker` make tools from the answered misses in `store`, as `settings` say."""
        self._models, self._store, self._maker, self._settings = models, store, maker, settings
        self._owner = secrets.token_hex(8)
        self._wake, self._ended = threading.Event(), threading.Event()
        self._running: dict[str, threading.Thread] = {}
        self._cancellation = Cancellation()
        self._watch: threading.Thread | None = None

    def notify(self) -> None:
        """Look at once: an answer came in. Safe to call from any thread."""
        self._wake.set()

    def __enter__(self) -> Self:
        if self._settings.make_tools:
            self._watch = threading.Thread(target=self._watching, name="misses", daemon=True)
            self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what runs; its groups are due again."""
        self._ended.set()
        self._wake.set()
        self._cancellation.cancel()
        end = time.monotonic() + _END_S
        for thread in [self._watch, *self._running.values()]:
            if thread is not None:
                thread.join(max(0.0, end - time.monotonic()))

    def _watching(self) -> None:
        while not self._ended.is_set():
            try:
                self._look()
            except ToolwrightError as fault:
                _log.warning("misses cannot be looked at: %s", str(fault)[:500])
            self._wake.wait(RENEWED_EVERY_S)
            self._wake.clear()

    def _look(self) -> None:
        """Renew the leases of what runs, and begin what is due as far as there is room."""
        self._running = {group: thread for group, thread in self._running.items() if thread.is_alive()}
        for group_id in self._running:
            self._claim(group_id)
        room = self._settings.max_making - len(self._running)
        if room <= 0:
            return
        due = self._store.misses.due(TENANT, needed=self._settings.needed, now=time.time())
        for group in [group for group in due if group.group_id not in self._running][:room]:
            if self._ended.is_set() or not self._claim(group.group_id):
                continue
            thread = threading.Thread(target=self._make, args=(group,), name="making-of-misses", daemon=True)
            self._running[group.group_id] = thread
            thread.start()

    def _claim(self, group_id: str) -> bool:
        now = time.time()
        return self._store.misses.claim(group_id, self._owner, now=now, until=now + LEASE_S)

    def _make(self, group: MissGroup) -> None:
        meter = Meter(forward=self._store.ledger.add, tenant=TENANT)
        try:
            self._settle(group, self._made(group, meter), meter)
        except ToolwrightError as fault:
            # A fault, or the end of this process, says nothing of the group.
            pause = 0.0 if self._ended.is_set() else AFTER_FAULT_S
            if pause:
                _log.warning("the making for group %s ended early: %s", group.group_id, str(fault)[:500])
            self._release(group, str(fault), pause, meter)
        finally:
            self._wake.set()

    def _made(self, group: MissGroup, meter: Meter) -> Made | NotMade | str:
        """Return the end of making the group's tool, or the reference of one that was made before an interruption."""
        members = self._members(group)
        named = self._named(group, members, meter)
        if (there := self._there(named.name)) is not None:
            return there.reference
        try:
            steps = self._maker.make(
                _task(named, members),
                kind=JobKind.ONLINE,
                cancellation=self._cancellation,
                deadline_s=None,
                record=meter.record,
            )
            return _end(steps)
        except InvalidInput as fault:
            return NotMade(f"the answers of the group make no task: {fault}", 0, ())

    def _there(self, name: str) -> RegisteredTool | None:
        """Return what `name` means, or its version that waits for approval."""
        try:
            return self._store.get_tool(name)
        except NotFound:
            return newest_version(self._store, name)

    def _members(self, group: MissGroup) -> Sequence[Miss]:
        """Return the examples for the next making: others than before where there are any, as one may be wrong."""
        needed = self._settings.needed
        skip = min(group.attempts * needed, max(0, group.answered - needed))
        return self._store.misses.answered(group.group_id, skip=skip, limit=needed)

    def _named(self, group: MissGroup, members: Sequence[Miss], meter: Meter) -> MissGroup:
        if group.name:
            return group
        model = self._models.metered(Role.MAKER, MAKING, meter)
        for _ in range(3):  # another group may take the name in between
            naming = name_for(model, members, self.is_free)
            if self._store.misses.name_group(group.group_id, naming.name, naming.description):
                # What was paid for answers before the kind had a name is the task's from now on.
                self._store.ledger.file_under(group.group_id, naming.name)
                break
        return self._store.misses.group(group.group_id)

    def is_free(self, name: str) -> bool:
        """Return whether nothing is called so: no task, no tool, no synonym of one, and no other group's tool to be."""
        if name in self._store.misses.held_names():
            return False
        # Without a version a synonym is followed too: a version of its name would end it, and take its calls.
        for there in (
            lambda: self._store.get_task(name),
            lambda: self._store.get_tool(f"{name}@1"),
            lambda: self._store.get_tool(name),
        ):
            try:
                there()
            except NotFound:
                continue
            return False
        return True

    def _settle(self, group: MissGroup, end: Made | NotMade | str, meter: Meter) -> None:
        settle, cost = self._store.misses.settle, _cost(meter.tokens())
        match end:
            case Made():
                if end.merged:  # the label that the answers before the name went by; see `Keeper`
                    self._store.ledger.file_under(group.group_id, end.tool.name)
                settle(group.group_id, self._owner, GroupState.MADE, tool=end.tool.reference, cost_usd=cost)
            case str():
                settle(group.group_id, self._owner, GroupState.MADE, tool=end, cost_usd=cost)
            case NotMade():
                settle(
                    group.group_id,
                    self._owner,
                    GroupState.UNMAKEABLE,
                    failure=end.reason[:MAX_FAILURE_CHARS],
                    not_before=time.time() + self._settings.cool_down_s,
                    cost_usd=cost,
                )

    def _release(self, group: MissGroup, failure: str, pause_s: float, meter: Meter) -> None:
        try:
            self._store.misses.settle(
                group.group_id,
                self._owner,
                GroupState.OPEN,
                failure=failure[:MAX_FAILURE_CHARS],
                not_before=time.time() + pause_s if pause_s else 0.0,
                cost_usd=_cost(meter.tokens()),
            )
        except ToolwrightError as fault:
            _log.warning("the end of a making is not on record, it is taken up later: %s", str(fault)[:500])


def _task(group: MissGroup, members: Sequence[Miss]) -> Task:
    """Return the task of a group: the first questions for the maker, the others held out.

    Raises:
        InvalidInput: they make no task.
    """
    examples = tuple(Example(miss.miss_id, miss.question, miss.answer) for miss in members)
    shown = min(_TRAINING, len(examples) // 2)
    if not group.name:
        raise InvalidInput("name", "no name is free for the tool")
    return Task(group.name, group.description, examples[:shown], examples[shown:], infer_kind(examples))


def _end(steps: Generator[MakingEvent, None, None]) -> Made | NotMade:
    end: Made | NotMade = NotMade("the making ended early", 0, ())
    with closing(steps):
        for event in steps:
            if isinstance(event, Made | NotMade):
                end = event
    return end


def _cost(uses: Sequence[TokenUse]) -> float:
    return sum(use.cost_usd for use in uses)
