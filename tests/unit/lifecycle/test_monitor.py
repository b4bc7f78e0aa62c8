"""When a version is held back, and when it is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.feedback_policy import Action, FeedbackPolicy, Signal, Threshold
from toolwright.domain.lifecycle import STABLE, Alias
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Status
from toolwright.domain.tool import ToolState
from toolwright.errors import AlreadyExists, NotFound, NotReady, StoreUnavailable
from toolwright.lifecycle.monitor import QUEUE, Monitor
from toolwright.lifecycle.outcomes import Outcomes
from toolwright.lifecycle.quarantine import Quarantine
from toolwright.registry.memory import MemoryStore
from toolwright.registry.testing import sample_execution, sample_record, sample_task, sample_version

pytestmark = pytest.mark.unit

ALIKE = '{"a":1,"b":2}'
UNLIKE = '{"a":100000,"b":-2}'
POLICY = FeedbackPolicy(
    window=20,
    errors=Threshold(5, 0.4),
    refusals=Threshold(5, 0.4),
    wrong=Threshold(3, 0.5),
    drift=Threshold(8, 0.5),
)


@dataclass
class Wanted:
    """Notes what is to be made anew."""

    names: list[str] = field(default_factory=list)

    def want(self, name: str) -> None:
        self.names.append(name)


@dataclass
class Bench:
    """Two versions of one tool, watched."""

    store: MemoryStore
    monitor: Monitor
    wanted: Wanted
    quarantine: Quarantine
    digests: list[str]

    def called(self, *statuses: Status, version: int = 2, arguments_json: str = ALIKE, **changes: Any) -> None:
        request = ExecutionRequest("add", arguments_json, **changes)
        for status in statuses:
            self.monitor.ended(self.digests[version - 1], request, status)

    def look(self) -> None:
        self.monitor.look(self.quarantine.hold)

    def states(self) -> list[ToolState]:
        return [self.store.get_tool(digest).state for digest in self.digests]

    @property
    def reason(self) -> str:
        return self.store.lifecycle.events("add")[-1].reason


def opened(policy: FeedbackPolicy = POLICY, store: MemoryStore | None = None) -> Bench:
    """Return a bench under `policy`."""
    store, digests, wanted = store or MemoryStore(), [], Wanted()
    for number, code in enumerate(("def add(a, b): ...", "def add(b, a): ..."), start=1):
        version = sample_version(code=code)
        store.admit(version, sample_record(version, f"v-{number}"), sample_task())
        digests.append(version.digest)
    return Bench(store, Monitor(store, policy), wanted, Quarantine(store, wanted), digests)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Give a bench under the policy of these tests."""
    made = opened()
    with closing(made.store):
        yield made


GOOD, BAD = Status.SUCCESS, Status.TOOL_ERROR


def test_a_version_that_begins_to_fail_is_held_back(bench: Bench) -> None:
    """Who, why with the figures; the plain name means the version before, and the tool is to be made anew."""
    bench.called(GOOD, GOOD, BAD, Status.CRASHED, Status.TIMEOUT)
    bench.look()

    assert bench.states() == [ToolState.ACTIVE, ToolState.QUARANTINED]
    assert bench.reason == "calls that ended without a result: 3 of the last 5, at most 40%"
    event = bench.store.lifecycle.events("add")[-1]
    assert (event.actor, event.from_state) == ("policy", ToolState.ACTIVE)
    assert bench.store.get_tool("add").number == 1
    assert bench.wanted.names == ["add"]


@pytest.mark.parametrize(
    "statuses",
    [(GOOD, GOOD, GOOD, BAD, BAD), (BAD,) * 4, (Status.INFRASTRUCTURE,) * 20],
    ids=["a tolerated share", "too few to say", "faults of ours"],
)
def test_what_is_tolerated(bench: Bench, statuses: tuple[Status, ...]) -> None:
    """A share within the policy, a few calls alone, and what is not the tool's."""
    bench.called(*statuses)
    bench.look()

    assert bench.states() == [ToolState.ACTIVE, ToolState.ACTIVE]


def test_limits_that_a_caller_lowers_do_not_count(bench: Bench) -> None:
    """Else whoever can call a tool could have it held back. What it raises under them does count."""
    lowered = LimitsRequest(wall_time_s=0.001)
    bench.called(*[Status.TIMEOUT, Status.OUT_OF_MEMORY] * 10, limits=lowered)
    bench.look()
    assert bench.states()[1] == ToolState.ACTIVE

    bench.called(*[BAD] * 5, limits=lowered)
    bench.look()
    assert bench.states()[1] == ToolState.QUARANTINED


def test_descriptions_are_no_calls(bench: Bench) -> None:
    """Only calls of the function are counted."""
    bench.called(*[BAD] * 10, operation=Operation.DESCRIBE)
    bench.look()

    assert bench.monitor.counts(bench.digests[1], Signal.ERRORS) == (0, 0)


def test_old_calls_slide_out_of_the_window(bench: Bench) -> None:
    """What counts is how it does now."""
    bench.called(BAD, BAD, *[GOOD] * 3)
    bench.look()
    bench.called(*[GOOD] * 18)
    bench.look()

    assert bench.monitor.counts(bench.digests[1], Signal.ERRORS) == (0, 20)


def test_refused_arguments_count_among_calls_of_models(bench: Bench) -> None:
    """Calls of programs are not among them."""
    bench.called(*[GOOD] * 10)
    bench.called(*[GOOD] * 2, purpose="solve")
    for _ in range(3):
        bench.monitor.refused(bench.digests[1])
    bench.look()

    assert bench.states()[1] == ToolState.QUARANTINED
    assert bench.reason.startswith("calls of light models that the schema refused: 3 of the last 5")


def test_a_drift_is_noticed_and_a_steady_stream_is_not(bench: Bench) -> None:
    """Calls like the verified ones never count, however many; too large a share of others does."""
    bench.called(*[GOOD] * 100)
    bench.look()
    assert bench.states()[1] == ToolState.ACTIVE

    bench.called(*[GOOD] * 11, arguments_json=UNLIKE)
    bench.look()
    assert bench.states()[1] == ToolState.QUARANTINED
    assert bench.reason == "calls unlike any that it was verified with: 11 of the last 20, at most 50%"


def test_report_only_changes_nothing() -> None:
    """It is logged once, and the version goes on."""
    quiet = {name: replace(getattr(POLICY, name), action=Action.REPORT_ONLY) for name in ("errors", "drift")}
    bench = opened(replace(POLICY, **quiet))
    for _ in range(3):
        bench.called(*[BAD] * 10, arguments_json=UNLIKE)
        bench.look()

    assert bench.states() == [ToolState.ACTIVE, ToolState.ACTIVE]
    assert bench.wanted.names == []


def test_another_server_may_be_first(bench: Bench) -> None:
    """A version that is held back already is no error, and not made anew a second time."""
    tool = bench.store.get_tool("add")
    bench.store.lifecycle.change_state(bench.digests[1], ToolState.QUARANTINED, actor="other", reason="other")

    assert not bench.quarantine.hold(tool, "late")
    bench.called(*[BAD] * 10)
    bench.look()
    assert bench.reason == "other"
    assert bench.wanted.names == []


def test_stable_goes_back_with_a_version_that_it_points_at(bench: Bench) -> None:
    """Else the plain name would go on meaning the one that is held back."""
    for number in (1, 2):
        bench.store.lifecycle.set_alias(Alias("add", STABLE, number), actor="ann", reason="")
    bench.called(*[BAD] * 10)
    bench.look()

    tool = bench.store.get_tool("add")
    assert (tool.number, tool.state) == (1, ToolState.ACTIVE)


class FailingStore(MemoryStore):
    """A store that can be out of reach."""

    fails = False

    def get_tool(self, reference: str, *, lot: float = 1.0) -> Any:
        if self.fails:
            raise StoreUnavailable("the disk is full")
        return super().get_tool(reference, lot=lot)


def test_a_breach_is_not_forgotten_while_the_registry_fails() -> None:
    """It is held back once the registry answers again, without another call."""
    store = FailingStore()
    bench = opened(store=store)
    bench.called(GOOD)
    bench.look()
    bench.called(*[BAD] * 10)
    store.fails = True
    bench.look()
    store.fails = False
    assert bench.states()[1] == ToolState.ACTIVE
    bench.look()

    assert bench.states()[1] == ToolState.QUARANTINED


def test_what_waits_is_bounded(bench: Bench) -> None:
    """Beyond the bound the oldest notes are lost; long arguments are not kept at all."""
    bench.called(*[GOOD] * (QUEUE + 500), arguments_json='{"a":1,"b":2,"c":"' + "x" * 100_000 + '"}')

    assert len(bench.monitor._notes) == QUEUE
    assert all(note.arguments_json == "" for note in bench.monitor._notes)


# --- reports --------------------------------------------------------------------------------------


def reported(bench: Bench, *, right: int = 0, wrong: int = 0, first: int = 0, told: bool = True) -> None:
    """Have so many executions of the second version, each reported on."""
    outcomes = Outcomes(bench.store, bench.monitor.reported if told else lambda _digest: None)
    for number, correct in enumerate([True] * right + [False] * wrong, start=first):
        entry = sample_execution(f"x-{number}", tool_digest=bench.digests[1], verification_id="v-2")
        bench.store.add_execution(entry)
        assert outcomes.report(f"x-{number}", correct=correct)


def test_wrong_answers_hold_a_version_back(bench: Bench) -> None:
    """Once enough are reported."""
    reported(bench, right=1, wrong=1)
    bench.look()
    assert bench.states()[1] == ToolState.ACTIVE

    reported(bench, wrong=1, first=10)
    bench.look()
    assert bench.states()[1] == ToolState.QUARANTINED
    assert bench.reason == "answers reported as wrong: 2 of the last 3, at most 50%"


def test_reports_of_a_server_that_was_killed_are_looked_at_by_the_next(bench: Bench) -> None:
    """They are in the registry, whoever was told of them."""
    reported(bench, wrong=3, told=False)
    bench.monitor.start(bench.quarantine.hold)
    end = time.monotonic() + 10
    while bench.states()[1] == ToolState.ACTIVE and time.monotonic() < end:
        time.sleep(0.02)
    bench.monitor.close()

    assert bench.states()[1] == ToolState.QUARANTINED


def test_what_was_reported_before_a_release_is_settled(bench: Bench) -> None:
    """A person who lets a version go on is not overruled by old reports."""
    reported(bench, wrong=3)
    bench.look()
    bench.store.lifecycle.change_state(bench.digests[1], ToolState.ACTIVE, actor="ann", reason="they were wrong")
    reported(bench, wrong=1, first=10)
    bench.look()
    assert bench.states()[1] == ToolState.ACTIVE

    reported(bench, wrong=2, first=20)
    bench.look()
    assert bench.states()[1] == ToolState.QUARANTINED


def test_which_executions_can_be_reported_on(bench: Bench) -> None:
    """Those of tools that gave a result; the same report again is not new, another one is refused."""
    outcomes = Outcomes(bench.store, bench.monitor.reported)
    bench.store.add_execution(sample_execution("tool"))
    bench.store.add_execution(sample_execution("source", verification_id=""))
    bench.store.add_execution(sample_execution("failed", status=Status.TOOL_ERROR))

    with pytest.raises(NotFound):
        outcomes.report("nothing", correct=True)
    with pytest.raises(NotReady, match="bare source"):
        outcomes.report("source", correct=True)
    with pytest.raises(NotReady, match="no result"):
        outcomes.report("failed", correct=False)
    assert outcomes.report("tool", correct=False, answer="4")
    assert not outcomes.report("tool", correct=False, answer="4", actor="bob")
    with pytest.raises(AlreadyExists):
        outcomes.report("tool", correct=True)
