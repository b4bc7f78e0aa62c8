"""Several candidates at a time: the best that passes is kept, and the best refusal is fed back."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.unit.making.addition import TASK, Bench, adding, bench, block
from toolwright.calling.testing import ModelRequest, Scripted, StandInExecutor, calls, says
from toolwright.domain.call import ExecutionRequest
from toolwright.domain.events import Made, NotMade, Proposed, Rejected
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.record import Check, Stage
from toolwright.errors import ModelUnavailable
from toolwright.llm.base import Message
from toolwright.llm.ledger import Meter
from toolwright.making.heard import HeardModel
from toolwright.making.judge import Verified
from toolwright.making.pipeline import Maker
from toolwright.making.tried import Tried, best_passed, best_refused
from toolwright.making.verdict import Refusal
from toolwright.registry.base import Store
from toolwright.registry.testing import sample_execution, sample_record, sample_version
from toolwright.sandbox.base import Cancellation, SandboxInfo

LONG = block("# good\ndef add_numbers(a: int, b: int) -> int:\n    total = a\n    total += b\n    return total")
SHORT = block(
    "# good\n# a long comment, which does not count for how short the code itself is, however long it may be\n"
    "def add_numbers(a: int, b: int) -> int: return a + b"
)
WRONG = block("# crashing\ndef add_numbers(a, b): 0")


def test_of_three_the_better_is_kept() -> None:
    """A long right one, a wrong one and a short right one: the short one is the tool, and all three are on record."""
    at = bench(says(LONG), says(WRONG), says(SHORT))
    events = at.make(attempts=3, candidates=3)
    made = events[-1]
    assert isinstance(made, Made)
    assert "return a + b" in at.store.get_tool("add_numbers").version.source.code
    assert {event.attempt for event in events if isinstance(event, Proposed)} == {1, 2, 3}
    assert len([event for event in events if isinstance(event, Rejected)]) == 1
    assert len(at.maker.requests) == 3
    assert len({request.messages for request in at.maker.requests}) == 1, "each an exchange of its own, on the same"
    assert sorted(attempt.accepted for attempt in at.attempts) == [False, False, True]
    other = next(attempt for attempt in at.attempts if "total" in attempt.source)
    kept = next(attempt for attempt in at.attempts if attempt.accepted)
    assert other.verdict == f"passed, as attempt {kept.number} did, which is better"
    assert [attempt.prompt_tokens for attempt in at.attempts if attempt.source in {other.source, kept.source}] == [
        100 + 5 * 50
    ] * 2


@pytest.mark.slow
def test_the_choice_does_not_hang_on_who_is_first() -> None:
    """In whatever order the replies come, the same tool is made."""
    for order in itertools.permutations([LONG, WRONG, SHORT]):
        at = bench(*map(says, order))
        assert isinstance(at.make(attempts=3, candidates=3)[-1], Made)
        assert "return a + b" in at.store.get_tool("add_numbers").version.source.code


def test_where_none_passes_the_best_refusal_is_fed_back() -> None:
    """The one that came furthest: more examples right; the next round is asked with it, and the budget counts all."""
    half = block("# half\ndef add_numbers(a, b): ...")
    at = bench(
        says(WRONG),
        says("Sorry."),
        says(half),
        says(SHORT),
        says(WRONG),
        half=adding(lambda a, b: a + b if a < 4 else 0),
    )
    end = at.make(attempts=5, candidates=3)[-1]
    assert isinstance(end, Made)
    assert end.attempts == 5
    second = [request for request in at.maker.requests if len(request.messages) > 2]
    assert len(second) == 2, "the budget had two left"
    assert {request.messages[2].content for request in second} == {half}


def test_they_are_asked_at_the_same_time() -> None:
    """All wait for one another; one after the other they would wait for ever."""
    barrier = threading.Barrier(4, timeout=10)

    def together(_: ModelRequest) -> Scripted:
        barrier.wait()
        return says(SHORT)

    at = bench()
    at.maker.replies = together
    assert isinstance(at.make(attempts=4, candidates=4)[-1], Made)


def test_a_fault_of_one_does_not_cost_the_others() -> None:
    """One endpoint's fault beside a good tool: the tool is made. Where none passes, the fault is raised."""
    at = bench(says(SHORT), ModelUnavailable("503"))
    assert isinstance(at.make(attempts=2, candidates=2)[-1], Made)
    at = bench(says(WRONG), ModelUnavailable("503"))
    with pytest.raises(ModelUnavailable):
        at.make(attempts=2, candidates=2)
    assert min(attempt.verdict[:16] for attempt in at.attempts) == "ModelUnavailable"
    assert len(at.attempts) == 2


def test_closing_ends_all() -> None:
    """No thread goes on for nobody, and each attempt is on record."""
    at = bench()
    go_on = threading.Event()

    def waits(_: ModelRequest) -> Scripted:
        go_on.wait(10)
        return says(SHORT)

    at.maker.replies = lambda request: says(WRONG) if len(at.maker.requests) == 1 else waits(request)
    events = at.pipeline.make(TASK, attempts=2, candidates=2)
    next(events)
    threading.Timer(0.2, go_on.set).start()
    events.close()
    assert at.making.failure == "stopped: the caller went away"
    assert len(at.attempts) == 2


def passed(number: int, code: str = "x", *, repairs: int = 0, right: Sequence[bool] = (True, True)) -> Tried:
    """Return an attempt that passed."""
    version = sample_version()
    checks = tuple(Check(f"h{n}", True, Status.SUCCESS, one, f"x{number}") for n, one in enumerate(right))  # noqa: FBT003
    tried = Tried(number, Meter(), HeardModel(None, repairs))  # type: ignore[arg-type]  # asked nothing any more
    tried.notes.source = code
    tried.verdict = Verified(version, sample_record(version, checks=checks))
    return tried


def winner(*tried: Tried, **milliseconds: float) -> int:
    """Return the number of the best; the same in every order."""

    def took(verified: Verified) -> float:
        return milliseconds.get(verified.record.checks[0].execution_id, 1.0)

    numbers = set()
    for order in itertools.permutations(tried):
        best = best_passed(order, took)
        assert best is not None
        numbers.add(best[0].number)
    (number,) = numbers
    return number


def test_what_is_better() -> None:
    """Held-out answers, then repair turns, then time in steps of two, then length, then who came first."""
    assert winner(passed(1, "x", right=(True, False)), passed(2, "longer", repairs=3)) == 2
    assert winner(passed(1, "x", repairs=1), passed(2, "longer")) == 2
    assert winner(passed(1, "x"), passed(2, "longer"), x1=900.0, x2=120.0) == 2
    assert winner(passed(1, "x"), passed(2, "longer"), x1=99.0, x2=1.0) == 1
    assert winner(passed(1, "longer"), passed(2, "x")) == 2
    assert winner(passed(1, "x\n# many words"), passed(2, "xy")) == 1
    assert winner(passed(2, "x"), passed(1, "x")) == 1
    assert best_passed([], lambda _: 0.0) is None


def test_which_refusal_is_worth_most() -> None:
    """The later stage, then more right examples, then the shorter code."""

    def refused(number: int, stage: Stage, right: int = 0, code: str = "x") -> Tried:
        tried = passed(number, code)
        tried.verdict, tried.passed = Refusal(stage, "no"), right
        return tried

    tried = [refused(1, Stage.PROPOSE), refused(2, Stage.VERIFY, 1), refused(3, Stage.VERIFY, 2, "longer")]
    tried += [refused(4, Stage.VERIFY, 2), refused(5, Stage.VERIFY, 2)]
    for order in (tried, tried[::-1]):
        best = best_refused(order)
        assert best is not None
        assert best[0].number == 4
    assert best_refused([passed(1)]) is None


def test_repair_turns_are_counted_and_calls_heard() -> None:
    """A light model that has to be corrected costs more with every question."""
    asked: list[ModelRequest] = []

    def clumsy(request: ModelRequest) -> Scripted:
        asked.append(request)
        return calls("f", {"a": len(asked)}) if len(asked) != 2 else says("no")

    at = Bench(maker=bench().maker)
    at.user.replies = clumsy
    heard = HeardModel(at.user)
    heard.complete([Message("user", "1?")])
    heard.complete([Message("user", "1?"), Message("assistant", ""), Message("user", "Again.")])
    heard.complete([Message("user", "2?")])
    assert (heard.repairs, heard.arguments) == (1, ['{"a": 1}', '{"a": 3}'])


@dataclass
class LoggingExecutor:
    """Keeps each call in the log, as the real one does; those of `# slow` code as slow ones."""

    base: StandInExecutor
    store: Store

    @property
    def info(self) -> SandboxInfo:
        return self.base.info

    def execute(
        self, request: ExecutionRequest, *, deadline_s: float | None = None, cancellation: Cancellation | None = None
    ) -> Execution:
        execution = self.base.execute(request)
        slow = "# slow" in repr(request.target)
        self.store.add_execution(sample_execution(execution.execution_id, wall_ms=2000.0 if slow else 5.0))
        return execution


def test_slow_tools_are_known_by_the_execution_log() -> None:
    """Of two right ones the quick one is kept, though it is longer."""
    at = bench(says(block("# slow\ndef f(): ...")), says(LONG), slow=adding())
    logging = LoggingExecutor(at.executor, at.store)
    at.pipeline = Maker(models=at.models, executor=logging, store=at.store)
    assert isinstance(at.make(attempts=2, candidates=2)[-1], Made)
    assert "total += b" in at.store.get_tool("add_numbers").version.source.code


def test_none_at_all() -> None:
    """Rounds go on until the attempts are spent, and the end names the last refusal."""
    at = bench(*[says(WRONG)] * 5)
    end = at.make(attempts=5, candidates=2)[-1]
    assert isinstance(end, NotMade)
    assert (end.attempts, end.ended_by) == (5, "attempts")
    assert [attempt.number for attempt in at.attempts] == [1, 2, 3, 4, 5]
