"""How questions end, kept before it is told."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import pytest

from toolwright.domain.events import Answered, Declined, Dispatched, Failed, Made, Ran, SolveEvent
from toolwright.domain.feedback import SolveEnding
from toolwright.domain.outcome import Execution
from toolwright.domain.record import DEFAULT_TENANT
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import NotFound
from toolwright.lifecycle.solves import KeepingSolver
from toolwright.registry.memory import MemoryStore
from toolwright.registry.testing import sample_record, sample_task, sample_version
from toolwright.sandbox.base import Cancellation
from toolwright.services.testing import sample_execution

pytestmark = pytest.mark.unit

RUN = replace(sample_execution(), provenance=replace(sample_execution().provenance, computed_by=""))
ANSWER = Answered("3", "3", "add@1", RUN.execution_id, ())


class Scripted:
    """Gives out events; notes whether it was closed."""

    def __init__(self, *events: SolveEvent) -> None:
        self.events, self.closed = events, False

    def solve(
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
        try:
            yield from self.events
        finally:
            self.closed = True


def made() -> RegisteredTool:
    """Return a tool that is kept."""
    store, version = MemoryStore(), sample_version()
    return store.admit(version, sample_record(version), sample_task())


def known() -> Execution:
    """Return a run whose result was known."""
    return replace(RUN, provenance=replace(RUN.provenance, computed_by="e-0"))


@pytest.mark.parametrize(
    ("events", "ending"),
    [
        ((Dispatched("add@1", "", ""), Ran(RUN), ANSWER), SolveEnding.HIT),
        ((Dispatched("add@1", "", ""), Ran(known()), ANSWER), SolveEnding.HIT),
        ((Dispatched("", "add", ""), Made(made().info, 1, ()), Ran(RUN), ANSWER), SolveEnding.MADE),
        ((Dispatched("", "", ""), Declined("nothing fits", ())), SolveEnding.MISSED),
        ((Dispatched("", "", ""), Answered("3", "", "", "", ())), SolveEnding.MISSED),
        ((Dispatched("", "add", ""), Declined("it rests", ())), SolveEnding.DECLINED),
        ((Dispatched("add@1", "", ""), Failed("no", "add@1", None, ())), SolveEnding.FAILED),
    ],
)
def test_how_a_question_ended(events: tuple[SolveEvent, ...], ending: SolveEnding) -> None:
    """One row for each question, whatever came of it."""
    store = MemoryStore()
    solver = KeepingSolver(Scripted(*events), store, kept_answers=10)

    assert list(solver.solve("What is 1 + 2?")) == list(events)
    assert [found for found, number in store.feedback.hit_counts().by_ending if number] == [ending]


def test_an_answer_is_kept_before_it_is_told() -> None:
    """So that a report that comes at once finds it."""
    store = MemoryStore()
    events = KeepingSolver(Scripted(Ran(RUN), ANSWER), store, kept_answers=10).solve("What is 1 + 2?")
    for event in events:
        if isinstance(event, Answered):
            kept = store.feedback.get_answer(event.execution_id)
            assert (kept.question, kept.answer, kept.tool) == ("What is 1 + 2?", "3", "add@1")
            assert kept.tool_digest == RUN.provenance.tool_digest


def test_a_question_that_is_left_is_not_counted() -> None:
    """It came to no end; what answers it is told."""
    store, base = MemoryStore(), Scripted(Ran(RUN), ANSWER)
    events = KeepingSolver(base, store, kept_answers=10).solve("What is 1 + 2?")
    next(events)
    events.close()

    assert base.closed
    assert store.feedback.hit_counts().solves == 0


def test_an_answer_is_told_although_it_cannot_be_kept() -> None:
    """A registry that fails takes no answer from whoever asked."""
    store = MemoryStore()
    store.close()

    assert list(KeepingSolver(Scripted(Ran(RUN), ANSWER), store, kept_answers=10).solve("?"))[-1] == ANSWER


def test_no_answers_are_kept_where_none_are_wanted() -> None:
    """The question is counted, and its text is not there."""
    store = MemoryStore()
    list(KeepingSolver(Scripted(Ran(RUN), ANSWER), store, kept_answers=0).solve("What is 1 + 2?"))

    assert store.feedback.hit_counts().solves == 1
    with pytest.raises(NotFound):
        store.feedback.get_answer(RUN.execution_id)
