"""Makings as durable jobs: asked for, shared by those who want the same, followed from record, ended.

Who carries them out is the `crew`; one that its server left is taken up again by another.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator
from dataclasses import replace

from toolwright.calling.patience import Patience
from toolwright.domain.answers import check_expected
from toolwright.domain.events import Made, MakingEvent, NotMade, Proposed, Rejected, Started
from toolwright.domain.job import Budget, Job, JobKind
from toolwright.domain.record import DEFAULT_TENANT
from toolwright.domain.task import Task
from toolwright.errors import CallCancelled
from toolwright.llm.ledger import Record
from toolwright.making.crew import Crew, OnFault
from toolwright.making.feed import Feed
from toolwright.making.ingredients import gather
from toolwright.making.order import check_budget
from toolwright.making.pipeline import Maker
from toolwright.making.replay import attempt_events, end_event
from toolwright.making.rules import Rules
from toolwright.registry.base import Store
from toolwright.sandbox.base import Cancellation


class Workshop:
    """Has tools made. Safe to use from many threads; `close` when done."""

    def __init__(
        self, maker: Maker, store: Store, *, rules: Rules | None = None, on_fault: OnFault = lambda _job, _fault: None
    ) -> None:
        """Let `maker` work on the jobs in `store`; `on_fault` is told of those that end by a fault."""
        self._store, self._rules = store, rules or Rules()
        self._crew = Crew(maker, store, self._rules, on_fault)

    def start(self) -> None:
        """Begin to look after the jobs of the registry, those that were left by servers that ended first of all."""
        self._crew.start()

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
        wanted = self._rules.bounded(
            replace(budget or Budget(), attempts=attempts or (budget.attempts if budget else 0))
        )
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
        job, is_new, feed = self._crew.open(asked, record)
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
            self._crew.want(making_id)
        return self._follow(making_id, Patience.of(deadline_s, cancellation), self._crew.feed(making_id), shared=True)

    def cancel(self, making_id: str, reason: str = "") -> Job:
        """Ask for the end of a making, and return it as it is now; see `Jobs.cancel`.

        Raises:
            NotFound: there is none of that id.
        """
        job = self._store.jobs.cancel(making_id, reason or "cancelled")
        if not job.state.ended:
            self._crew.cancel(making_id)
        return job

    @property
    def running(self) -> int:
        """How many makings this server works on."""
        return self._crew.running

    def close(self) -> None:
        """Stop. What is under way goes back, for the next server; what only this process was asked for is cancelled."""
        self._crew.close()

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
            feed = self._crew.feed(making_id)

    def _pause(self, patience: Patience) -> None:
        """Wait a little before the record is looked at again.

        Raises:
            CallCancelled, DeadlineExceeded: nobody waits any more, or the server ends.
        """
        ends = time.monotonic() + self._crew.tick_s
        while time.monotonic() < ends:
            patience.check()
            if self._crew.closes_within(min(0.05, self._crew.tick_s)):
                raise CallCancelled("the server ends; the making goes on when it is back")


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
