"""Those who carry makings out: the jobs that this server works on, each in a thread, under a lease that is renewed."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from toolwright.domain.events import Made, NotMade
from toolwright.domain.job import Job, JobKind, JobState
from toolwright.errors import CallCancelled, ToolwrightError
from toolwright.llm.ledger import Record
from toolwright.making.feed import Feed
from toolwright.making.hold import LetGo
from toolwright.making.order import Order
from toolwright.making.pipeline import Maker
from toolwright.making.replay import CANCELLED, FAULT, end_event, recorded_end
from toolwright.making.rules import Rules
from toolwright.making.run import Run
from toolwright.registry.base import Store
from toolwright.registry.jobs import Ending

_LONGEST_TICK_S: Final = 2.0
_LAST_WORDS_S: Final = 0.5
"""For a run that was told to end, before its server does. One that waits for a model is left."""
_JUST_NOW_S: Final = 5.0

OnFault = Callable[[Job, Exception], None]


class Crew:
    """Works on jobs of a registry. Safe to use from many threads; `close` when done."""

    def __init__(self, maker: Maker, store: Store, rules: Rules, on_fault: OnFault) -> None:
        """Let `maker` work on the jobs in `store`; `on_fault` is told of those that end by a fault."""
        self._maker, self._store, self._rules = maker, store, rules
        self._on_fault = on_fault
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._lock = threading.RLock()
        self._runs: dict[str, Run] = {}
        self._threads: set[threading.Thread] = set()
        self._asked: dict[str, Record | None] = {}
        """Jobs that were asked for here and wait, with who is told of their exchanges."""
        self._closing = threading.Event()
        self._keeper: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look after the jobs of the registry, those that were left by servers that ended first of all."""
        with self._lock:
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="makings", daemon=True)
                self._keeper.start()

    def open(self, asked: Job, record: Record | None) -> tuple[Job, bool, Feed | None]:
        """Keep a job, or find an open one that does for it; return it, whether it is new, and its events if it is here.

        Raises:
            CallCancelled: the server ends. Nothing was kept.
            Overloaded: too many jobs wait. Nothing was kept.
        """
        with self._lock:
            if self._closing.is_set():
                raise CallCancelled("the server ends; nothing was begun. Ask again when it is back")
            if len(self._runs) < self._rules.max_running:  # ours from the start: nobody else may take it
                until = asked.created_at + self._rules.lease_s
                asked = replace(asked, state=JobState.RUNNING, owner=self._owner, lease_until=until, starts=1)
            job, is_new = self._store.jobs.open(asked, most_queued=self._rules.max_queue)
            if is_new and job.owner == self._owner:
                self._begin(job, record)
            elif job.making_id not in self._runs:
                self._asked.setdefault(job.making_id, record if is_new else None)
            self._fill()
            feed = self.feed(job.making_id)  # before it can end: then a fault would be on record alone
        self.start()
        return job, is_new, feed

    def want(self, making_id: str) -> None:
        """Take up an open job as soon as there is a place."""
        with self._lock:
            if making_id not in self._runs:
                self._asked.setdefault(making_id, None)
        self._fill()
        self.start()

    def feed(self, making_id: str) -> Feed | None:
        """Return the events of a job that is worked on here, else None."""
        with self._lock:
            run = self._runs.get(making_id)
            return run.feed if run is not None and not run.let_go else None

    def cancel(self, making_id: str) -> None:
        """End the work on a job, if it is worked on here."""
        with self._lock:
            run = self._runs.get(making_id)
        if run is not None:
            run.cancellation.cancel()

    @property
    def tick_s(self) -> float:
        """Seconds between two looks at the registry."""
        return min(_LONGEST_TICK_S, self._rules.lease_s / 3)

    def closes_within(self, seconds: float) -> bool:
        """Wait for the end of the server, `seconds` at most; return whether it ends."""
        return self._closing.wait(seconds)

    @property
    def running(self) -> int:
        """How many makings this server works on."""
        return len(self._threads)

    def close(self) -> None:
        """Stop. What is under way goes back, for the next server; what only this process was asked for is cancelled."""
        self._closing.set()
        with self._lock:
            runs, asked = list(self._runs.values()), list(self._asked)
        for run in runs:
            if self._rules.adopt:
                self._give_back(run)
            else:
                run.cancellation.cancel()
        for thread in list(self._threads):
            thread.join(_LAST_WORDS_S)
        if not self._rules.adopt:
            for making_id in asked + [run.job.making_id for run in runs]:
                self._abandon(making_id)
        if self._keeper is not None:
            self._keeper.join(_LAST_WORDS_S)

    def _keep(self) -> None:
        """Renew what is ours, and take up what nobody works on, until the end."""
        if self._rules.adopt:
            self._fill()
        while not self._closing.wait(self.tick_s):
            with self._lock:
                runs = list(self._runs.values())
            for run in runs:
                self._renew(run)
            self._fill()

    def _renew(self, run: Run) -> None:
        try:
            run.renew()
        except ToolwrightError as fault:  # the next tick tries again; without a lease another server may begin
            self._on_fault(run.job, fault)

    def _fill(self) -> None:
        """Take up jobs while there are places."""
        with suppress(ToolwrightError), self._lock:  # the next tick tries again
            if self._rules.adopt:
                while self._has_place and (job := self._take("")):
                    self._begin(job, self._asked.pop(job.making_id, None))
                return
            for making_id in list(self._asked):
                if not self._has_place:
                    return
                if job := self._take(making_id):
                    self._begin(job, self._asked.pop(making_id, None))

    @property
    def _has_place(self) -> bool:
        return len(self._runs) < self._rules.max_running and not self._closing.is_set()

    def _take(self, making_id: str) -> Job | None:
        return self._store.jobs.take(self._owner, lease_s=self._rules.lease_s, making_id=making_id)

    def _begin(self, job: Job, record: Record | None) -> None:
        run = Run(job, self._owner, self._store.jobs, self._rules.lease_s, record or self._store.ledger.add)
        if job.cancel_requested:
            run.cancellation.cancel()
        # A daemon: one that hangs in a model's endpoint must not keep the process from ending.
        thread = threading.Thread(target=self._work, args=(run,), name="making", daemon=True)
        self._runs[job.making_id] = run
        self._threads.add(thread)
        thread.start()

    def _work(self, run: Run) -> None:
        end: Made | NotMade | None = None
        fault: Exception | None = None
        try:
            end = recorded_end(self._store, run.job) or self._made_just_now(run.job) or self._carried_out(run)
        except LetGo:
            run.lose()
        except Exception as raised:  # noqa: BLE001 - handed to the readers, and logged
            fault = raised
        try:
            end, fault = self._end(run, end, fault)
        finally:
            with self._lock:
                self._runs.pop(run.job.making_id, None)
                self._threads.discard(threading.current_thread())
            if end is not None:
                run.feed.put(end)
            run.feed.end(fault)
        self._fill()

    def _carried_out(self, run: Run) -> Made | NotMade | None:
        kept = self._store.list_attempts(run.job.making_id)
        order = Order.of_job(run.job, kept)
        steps = self._maker.carry_out(order, hold=run, cancellation=run.cancellation, record=run.told)
        end: Made | NotMade | None = None
        for step in steps:
            if isinstance(step, Made | NotMade):
                end = step
            else:
                run.feed.put(step)
        return end

    def _made_just_now(self, job: Job) -> Made | NotMade | None:
        """Return how another job ended that was for the same, between the question's look and its job."""
        if job.kind is not JobKind.ONLINE or job.begun:
            return None
        for other in self._store.jobs.list(task=job.task.name, limit=10):
            ended = other.finished_at is not None and other.finished_at > job.created_at - _JUST_NOW_S
            if not ended or other.task.digest != job.task.digest:
                continue
            end = end_event(self._store, other)
            if isinstance(end, Made) or end.ended_by not in {CANCELLED, FAULT}:
                return replace(end, attempts=0, token_use=())
        return None

    def _end(
        self, run: Run, end: Made | NotMade | None, fault: Exception | None
    ) -> tuple[Made | NotMade | None, Exception | None]:
        """Keep the end of the job, and return what its readers are to be told."""
        if run.let_go:
            return None, None  # whoever follows finds the rest on record, as another server writes it
        if fault is not None and run.cancellation.cancelled:  # what was under way may end by any fault
            job = self._store.jobs.get(run.job.making_id)
            reason = job.reason or "its process ended"
            end, fault = NotMade(reason, job.begun, job.token_use, CANCELLED), None
            ending = Ending(JobState.CANCELLED, reason)
        elif isinstance(end, Made):
            ending = Ending(JobState.DONE, "", end.tool.digest, end.merged)
        elif end is not None and end.ended_by == CANCELLED:
            ending = Ending(JobState.CANCELLED, end.reason)
        else:
            ending = Ending(JobState.FAILED, end.reason if end else f"{type(fault).__name__}: {fault}")
        if fault is not None:
            self._on_fault(run.job, fault)
        try:
            if not self._store.jobs.finish(run.job.making_id, self._owner, ending):
                return None, None
        except ToolwrightError as unrecorded:  # its lease runs out, and it is taken up again
            self._on_fault(run.job, unrecorded)
            fault = fault or unrecorded
        return end, fault

    def _give_back(self, run: Run) -> None:
        run.lose()
        with suppress(ToolwrightError):
            self._store.jobs.release(run.job.making_id, self._owner)

    def _abandon(self, making_id: str) -> None:
        with suppress(ToolwrightError):
            job = self._store.jobs.cancel(making_id, "its process ended")
            if job.owner == self._owner:
                self._store.jobs.finish(making_id, self._owner, Ending(JobState.CANCELLED, "its process ended"))
