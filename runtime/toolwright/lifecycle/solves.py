"""Keeps how questions end: the answers, for reports on them, and the counts of the functional cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from toolwright.domain.events import Answered, Declined, Dispatched, Failed, Made, Ran, SolveEvent
from toolwright.domain.feedback import KeptAnswer, Solve, SolveEnding
from toolwright.domain.outcome import Execution
from toolwright.domain.record import DEFAULT_TENANT
from toolwright.errors import ToolwrightError
from toolwright.registry.base import Store
from toolwright.sandbox.base import Cancellation

log = structlog.get_logger(__name__)


class Solving(Protocol):
    """Answers questions with tools: `solving.solver.Solver`."""

    def solve(  # noqa: PLR0913 - the fields of the request
        self,
        question: str,
        *,
        tool: str = "",
        among: Sequence[str] = (),
        dispatch_only: bool = False,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str = DEFAULT_TENANT,
        bypass_cache: bool = False,
    ) -> Generator[SolveEvent, None, None]:
        """Answer `question`; the last event is `Answered`, `Declined` or `Failed`.

        Args:
            question: the text as asked.
            tool: skips the dispatcher.
            among: names of the only tools and tasks that the dispatcher is offered; all if empty.
            dispatch_only: end with the dispatcher's decision.
            cancellation: ends the work from another thread.
            deadline_s: seconds from now after which the caller has no use for the answer.
            tenant: whose question it is.
            bypass_cache: run the tool even where its result is known.

        Raises:
            NotReady: no models are configured.
            NotFound: `tool` names nothing.
            ModelError, EngineUnavailable, SandboxUnavailable, StoreUnavailable: a service that it needs is missing.
        """


@dataclass(slots=True)
class _Course:
    """What happened to a question so far."""

    question: str
    made: bool = False
    wanted: bool = False
    """Whether the dispatcher found a tool, or a task that one may be made for."""
    execution: Execution | None = None

    def ending(self, event: Answered | Declined | Failed) -> SolveEnding:
        """Return how it ended, with `event` as the last."""
        match event:
            case Answered(execution_id="") | Answered(tool=""):
                return SolveEnding.MISSED
            case Answered():
                return SolveEnding.MADE if self.made else SolveEnding.HIT
            case Declined():
                return SolveEnding.DECLINED if self.wanted else SolveEnding.MISSED
            case Failed():
                return SolveEnding.FAILED


class KeepingSolver:
    """Adds to any `Solving`: what it comes to is kept before it is told, so that a report on it finds it."""

    def __init__(
        self, base: Solving, store: Store, *, kept_answers: int, clock: Callable[[], float] = time.time
    ) -> None:
        """Keep what `base` answers in `store`, the last `kept_answers` of them with their texts."""
        self._base, self._store, self._kept_answers, self._clock = base, store, kept_answers, clock

    def solve(  # noqa: PLR0913 - the fields of the request
        self,
        question: str,
        *,
        tool: str = "",
        among: Sequence[str] = (),
        dispatch_only: bool = False,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str = DEFAULT_TENANT,
        bypass_cache: bool = False,
    ) -> Generator[SolveEvent, None, None]:
        """Answer `question`; see `solving.solver.Solver.solve`."""
        events = self._base.solve(
            question,
            tool=tool,
            among=among,
            dispatch_only=dispatch_only,
            cancellation=cancellation,
            deadline_s=deadline_s,
            tenant=tenant,
            bypass_cache=bypass_cache,
        )
        return self._kept(_Course(question), events)

    def _kept(self, course: _Course, events: Generator[SolveEvent, None, None]) -> Generator[SolveEvent, None, None]:
        try:
            for event in self._followed(course, events):
                if isinstance(event, Answered | Declined | Failed):
                    self._keep(course, event)
                yield event
        finally:
            events.close()

    @staticmethod
    def _followed(course: _Course, events: Iterator[SolveEvent]) -> Iterator[SolveEvent]:
        for event in events:
            match event:
                case Dispatched(tool=tool, task=task):
                    course.wanted = bool(tool or task)
                case Made():
                    course.made = True
                case Ran(execution=execution):
                    course.execution = execution
                case _:
                    pass
            yield event

    def _keep(self, course: _Course, event: Answered | Declined | Failed) -> None:
        """Keep how it ended. A question is not left without its answer because that cannot be kept."""
        ran, at = course.execution, self._clock()
        try:
            if isinstance(event, Answered) and event.execution_id and ran is not None:
                answer = KeptAnswer(
                    event.execution_id, event.tool, ran.provenance.tool_digest, course.question, event.answer, at
                )
                self._store.feedback.keep_answer(answer, keep=self._kept_answers)
            self._store.feedback.keep_solve(
                Solve(
                    at,
                    course.ending(event),
                    "" if isinstance(event, Declined) else event.tool,
                    event.execution_id if isinstance(event, Answered) else "",
                    from_cache=isinstance(event, Answered) and ran is not None and ran.from_cache,
                )
            )
        except ToolwrightError as fault:
            log.warning("answer not kept", reason=str(fault)[:500])
