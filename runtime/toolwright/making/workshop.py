"""Makings as durable jobs: shared by those who want the same, taken up again after a server was killed, bounded."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from toolwright.calling.patience import Patience
from toolwright.domain.answers import check_expected
from toolwright.domain.events import Made, MakingEvent, NotMade, Proposed, Rejected, Started
from toolwright.domain.job import Budget, Job, JobKind, JobState
from toolwright.domain.record import DEFAULT_TENANT
from toolwright.domain.task import Task
from toolwright.errors import CallCancelled, InvalidInput, ToolwrightError
from toolwright.llm.ledger import Record
from toolwright.making.feed import Feed
from toolwright.making.hold import LetGo
from toolwright.making.ingredients import gather
from toolwright.making.order import Order, check_budget
from toolwright.making.pipeline import DEFAULT_ATTEMPTS, Maker
from toolwright.making.replay import CANCELLED, FAULT, attempt_events, end_event, recorded_end
from toolwright.making.run import Run
from toolwright.registry.base import Store
from toolwright.registry.jobs import Ending
from toolwright.sandbox.base import Cancellation

_LONGEST_TICK_S: Final = 2.0
_LAST_WORDS_S: Final = 0.5
"""For a run that was told to end, before its server does. One that waits for a model is left."""
_JUST_NOW_S: Final = 5.0

_BUDGET: Final = Budget(attempts=DEFAULT_ATTEMPTS)

OnFault = Callable[[Job, Exception], None]


@dataclass(frozen=True, slots=True)
class Rules:
    """Bounds of makings, as the operator sets them."""

    budget: Budget = _BUDGET
    """Its number of attempts holds where a request names none; all else is what a request has that asks for nothing,
    and may not go beyond. 0: no bound."""
    candidates: int = 1
    """Proposals at a time, where a request names none."""
    max_running: int = 4
    """Makings at one time on this server."""
    max_queue: int = 16
    """Makings that may wait, on all servers of the registry together."""
    lease_s: float = 30.0
    """Seconds after which another server may take up what this one works on, unless it renews."""
    adopt: bool = True
    """Whether to take up any job of the registry, or only those that were asked for here."""


class Workshop:
    """Carries out makings. Safe to use from many threads; `close` when done."""

    def __init__(
        self, maker: Maker, store: Store, *, rules: Rules | None = None, on_fault: OnFault = lambda _job, _fault: None
    ) -> None:
        """Let `maker` work on the jobs in `store`; `on_fault` is told of those that end by a fault."""
        self._maker, self._store, self._rules = maker, store, rules or Rules()
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

    # --- for callers ----------------------------------------------------------------------------

    def make(  # noqa: PLR0913 - the fields of the request
        self,
        task: Task,
        *,
        attempts: int = 0,
        budget: Budget | None = None,
        candidates: int = 0,
        kind: JobKind = JobKind.MAKE,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        record: Record | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> Generator[MakingEvent, None, None]:
        """Have a tool made and yield the steps; the first is `Started`, the last `Made` or `NotMade`.

        An open job for the same task does as well, if it may spend as much: then its steps so far come first. To stop
        reading, by closing too, does not end the making: `cancel` does.

        Args:
            task: what the tool is for.
            attempts: proposals that the maker may make; 0 for the rules' number.
            budget: what may be spent; what is 0 is as the rules have it.
            candidates: proposals asked for at a time; 0 for the rules' number.
            kind: why it is made. What is made `ONLINE` is not made again if it was just now.
            cancellation: ends the reading from another thread.
            deadline_s: seconds from now after which nobody reads any more.
            tenant: whose making it is, if the job is a new one.
            record: is told of each exchange with a model, if the job begins here; the store's ledger if None.

        Raises:
            InvalidInput: a bound beyond the rules', or an example's answer that is none of the task's kind.
            NotFound, NotReady: a tool in `task.uses`.
            Overloaded: too many makings wait. Nothing was kept.
            ModelError, ToolwrightError: what ended the making, if that was here and a fault; and what the store raises.
        """
        wanted = self._wanted(replace(budget or Budget(), attempts=attempts or (budget.attempts if budget else 0)))
        asked = Job(
            making_id=secrets.token_hex(16),
            task=task,
            kind=kind,
            tenant=tenant,
            budget=wanted,
            candidates=candidates or self._rules.candidates,
            created_at=time.time(),
        )
        check_budget(asked.budget, asked.candidates)
        check_expected(task.answer_kind, task.training + task.held_out)
        gather(self._store, task)  # so that a tool that it cannot use is told at once
        patience = Patience.of(deadline_s, cancellation)
        job, is_new, feed = self._open(asked, record)
        return self._follow(job.making_id, patience, feed, shared=not is_new)

    def follow(
        self, making_id: str, *, cancellation: Cancellation | None = None, deadline_s: float | None = None
    ) -> Generator[MakingEvent, None, None]:
        """Yield the steps of a making from its start to its end, as `make` does.

        Raises:
            NotFound: there is none of that id.
            ToolwrightError: as for `make`.
        """
        job = self._store.jobs.get(making_id)
        if not job.state.ended:
            with self._lock:
                if making_id not in self._runs:
                    self._asked.setdefault(making_id, None)
            self._fill()
            self.start()
        return self._follow(making_id, Patience.of(deadline_s, cancellation), self._feed(making_id), shared=True)

    def cancel(self, making_id: str, reason: str = "") -> Job:
        """Ask for the end of a making, and return it as it is now; see `Jobs.cancel`.

        Raises:
            NotFound: there is none of that id.
        """
        job = self._store.jobs.cancel(making_id, reason or "cancelled")
        with self._lock:
            run = self._runs.get(making_id)
        if run is not None and not job.state.ended:
            run.cancellation.cancel()
        return job

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

    # --- opening and following ------------------------------------------------------------------

    def _wanted(self, asked: Budget) -> Budget:
        """Return `asked` with the rules' bounds where it has none.

        Raises:
            InvalidInput: it goes beyond one.
        """
        most = self._rules.budget
        for field, value, bound in (
            ("max_tokens", asked.tokens, most.tokens),
            ("max_cost_usd", asked.cost_usd, most.cost_usd),
            ("max_seconds", asked.seconds, most.seconds),
        ):
            if bound and value > bound:
                raise InvalidInput(field, f"is {value:g}", f"at most {bound:g}, by the server's settings")
        return Budget(
            asked.attempts or most.attempts,
            asked.tokens or most.tokens,
            asked.cost_usd or most.cost_usd,
            asked.seconds or most.seconds,
        )

    def _open(self, asked: Job, record: Record | None) -> tuple[Job, bool, Feed | None]:
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
            feed = self._feed(job.making_id)  # before it can end: then a fault would be on record alone
        self.start()
        return job, is_new, feed

    def _follow(
        self, making_id: str, patience: Patience, feed: Feed | None, *, shared: bool
    ) -> Generator[MakingEvent, None, None]:
        """Yield the events of `feed`, or what is on record until there is one here."""
        yield Started(making_id, shared)
        told: set[int] = set()
        while True:
            if feed is not None:
                ended = yield from _fed(feed, told, patience)
                if ended:
                    return
            job = self._store.jobs.get(making_id)
            for attempt in self._store.list_attempts(making_id):
                if attempt.number not in told:
                    told.add(attempt.number)
                    yield from attempt_events(attempt)
            if job.state.ended:
                yield end_event(self._store, job)
                return
            self._pause(patience)
            feed = self._feed(making_id)

    def _feed(self, making_id: str) -> Feed | None:
        with self._lock:
            run = self._runs.get(making_id)
            return run.feed if run is not None and not run.let_go else None

    def _pause(self, patience: Patience) -> None:
        """Wait a little before the record is looked at again.

        Raises:
            CallCancelled, DeadlineExceeded: nobody waits any more, or the server ends.
        """
        ends = time.monotonic() + self._tick_s
        while time.monotonic() < ends:
            patience.check()
            if self._closing.wait(min(0.05, self._tick_s)):
                raise CallCancelled("the server ends; the making goes on when it is back")

    # --- working --------------------------------------------------------------------------------

    @property
    def _tick_s(self) -> float:
        return min(_LONGEST_TICK_S, self._rules.lease_s / 3)

    def _keep(self) -> None:
        """Renew what is ours, and take up what nobody works on, until the end."""
        if self._rules.adopt:
            self._fill()
        while not self._closing.wait(self._tick_s):
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


def _fed(feed: Feed, told: set[int], patience: Patience) -> Generator[MakingEvent, None, bool]:
    """Yield what `feed` has beyond the attempts that were `told`, and return whether it came to the making's end."""
    before, last = frozenset(told), False
    for event in feed.follow(patience):
        number = getattr(event, "attempt", 0)
        if number in before:
            continue
        if isinstance(event, Proposed | Rejected):
            told.add(number)
        last = isinstance(event, Made | NotMade)
        yield event
    return last
