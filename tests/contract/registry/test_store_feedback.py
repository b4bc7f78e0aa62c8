"""What is kept of how tools do in use: the same promises by every store."""

from __future__ import annotations

from typing import Any

import pytest

from toolwright.domain.feedback import KeptAnswer, OutcomeReport, Solve, SolveEnding
from toolwright.domain.tool import ToolState
from toolwright.errors import AlreadyExists, InvalidInput, NotFound, StoreUnavailable
from toolwright.registry.base import Store
from toolwright.registry.testing import sample_execution, sample_record, sample_task, sample_version

pytestmark = pytest.mark.contract

ODD = "NUL \0, a lone surrogate \ud800, and ünïcode"


def answer(execution_id: str = "e-1", **changes: Any) -> KeptAnswer:
    """Return an answer, with `changes`."""
    values: dict[str, Any] = {"tool": "add@1", "tool_digest": "sha256:" + "2" * 64, "question": "1 + 1?"}
    return KeptAnswer(**{"execution_id": execution_id, **values, "answer": "3", "at": 1.5} | changes)


def report(execution_id: str = "e-1", **changes: Any) -> OutcomeReport:
    """Return a report, with `changes`."""
    values: dict[str, Any] = {"correct": False, "answer": "2", "actor": "ann", "at": 2.5}
    return OutcomeReport(**{"execution_id": execution_id, **values, "tool_digest": "sha256:" + "2" * 64} | changes)


def test_answers_come_back_as_they_were(store: Store) -> None:
    """Any text at all survives."""
    store.feedback.keep_answer(answer(question=ODD, answer=ODD), keep=10)

    assert store.feedback.get_answer("e-1") == answer(question=ODD, answer=ODD)


def test_only_the_newest_answers_are_kept(store: Store) -> None:
    """Beyond the bound the oldest go; a bound of 0 keeps none."""
    for number in range(5):
        store.feedback.keep_answer(answer(f"e-{number}"), keep=3)
    store.feedback.keep_answer(answer("none"), keep=0)

    assert [_there(store, f"e-{number}") for number in range(5)] == [False, False, True, True, True]
    assert not _there(store, "none")


def _there(store: Store, execution_id: str) -> bool:
    try:
        return store.feedback.get_answer(execution_id).execution_id == execution_id
    except NotFound:
        return False


def test_an_execution_has_one_answer(store: Store) -> None:
    """A second one for the same execution is refused, and the first stays."""
    store.feedback.keep_answer(answer(), keep=10)

    with pytest.raises(AlreadyExists):
        store.feedback.keep_answer(answer(answer="4"), keep=10)
    assert store.feedback.get_answer("e-1").answer == "3"


def test_the_same_report_again_changes_nothing(store: Store) -> None:
    """It is told apart from a new one; whoever repeats it, and whenever."""
    assert store.feedback.report(report())
    assert not store.feedback.report(report(actor="bob", at=9.0))

    assert store.feedback.latest_reports(report().tool_digest, limit=10) == [report()]


@pytest.mark.parametrize("change", [{"correct": True}, {"answer": "5"}, {"answer": ""}])
def test_a_contradicting_report_is_refused(store: Store, change: dict[str, Any]) -> None:
    """The first one stands, and the text says what to do."""
    store.feedback.report(report())

    with pytest.raises(AlreadyExists, match="a first report stands; if that one was in error, quarantine"):
        store.feedback.report(report(**change))
    assert store.feedback.latest_reports(report().tool_digest, limit=10) == [report()]


def test_reports_are_listed_newest_first_and_bounded(store: Store) -> None:
    """Of one version, and not from before a time."""
    for number in range(4):
        store.feedback.report(report(f"e-{number}", at=float(number)))
    store.feedback.report(report("other", tool_digest="sha256:" + "9" * 64))
    digest = report().tool_digest

    latest = store.feedback.latest_reports(digest, limit=2)
    assert [found.execution_id for found in latest] == ["e-3", "e-2"]
    since = store.feedback.latest_reports(digest, limit=9, since=2.0)
    assert [found.execution_id for found in since] == ["e-3", "e-2"]
    assert store.feedback.reported_versions() == [digest, "sha256:" + "9" * 64]


def test_failures_are_wrong_answers_whose_right_ones_are_known(store: Store) -> None:
    """One that was right, one without a right answer, one without a question and another tool's are none."""
    feedback = store.feedback
    for execution_id in ("wrong", "right", "unknown"):
        feedback.keep_answer(answer(execution_id, question=f"{ODD} {execution_id}"), keep=10)
    feedback.keep_answer(answer("other", tool="sub@1"), keep=10)
    feedback.report(report("wrong", answer=ODD))
    feedback.report(report("right", correct=True))
    feedback.report(report("unknown", answer=""))
    feedback.report(report("no question"))
    feedback.report(report("other"))

    (failure,) = feedback.failures("add", limit=10)
    assert (failure.question, failure.wrong, failure.right) == (f"{ODD} wrong", "3", ODD)
    assert feedback.failures("add", limit=0) == []


def test_hits_are_counted(store: Store) -> None:
    """By how questions ended, and by executions whose result came from the cache."""
    endings = (SolveEnding.HIT, SolveEnding.HIT, SolveEnding.MADE, SolveEnding.FAILED)
    for ending in endings:
        store.feedback.keep_solve(Solve(1.0, ending, "add@1", "e-1"))
    store.add_execution(sample_execution("e-1"))
    store.add_execution(sample_execution("e-2", computed_by="e-1", container_id=""))
    store.begin_execution(sample_execution("e-3", status=None, ended=False))

    counts = store.feedback.hit_counts()
    assert (counts.solves, counts.hits, counts.hit_rate) == (4, 2, 0.5)
    assert dict(counts.by_ending)[SolveEnding.MADE] == 1
    assert (counts.executions, counts.exact_hits) == (2, 1)
    assert store.get_execution("e-2").computed_by == "e-1"


def test_nothing_counted_is_no_division_by_zero(store: Store) -> None:
    """An empty registry has a hit rate of 0."""
    assert store.feedback.hit_counts().hit_rate == 0.0


def test_active_versions_are_all_of_them(store: Store) -> None:
    """Earlier versions of a name too, by name and number."""
    first, second = sample_version(), sample_version(code="def add(a, b):\n    return b + a\n")
    store.admit(first, sample_record(first), sample_task())
    store.admit(second, sample_record(second, "v-2"), sample_task())

    assert store.feedback.active_versions() == [first.digest, second.digest]


def test_bad_ids_and_long_texts_are_refused(store: Store) -> None:
    """NUL in an id, and a right answer longer than answers are."""
    with pytest.raises(InvalidInput):
        store.feedback.report(report("e\0"))
    with pytest.raises(InvalidInput):
        report(answer="x" * 20_000)


def test_a_closed_store_says_so(store: Store) -> None:
    """The sub-store ends with its store."""
    feedback = store.feedback
    store.close()

    with pytest.raises(StoreUnavailable):
        feedback.report(report())


def test_a_name_is_headed_by_its_newest_active_version(store: Store) -> None:
    """So a dispatcher goes on offering the tool when its newest version is held back; the last says its state."""
    first, second = sample_version(), sample_version(code="def add(a, b):\n    return b + a\n")
    store.admit(first, sample_record(first), sample_task())
    store.admit(second, sample_record(second, "v-2"), sample_task())
    store.lifecycle.change_state(second.digest, ToolState.QUARANTINED, actor="policy", reason="")
    assert [(found.digest, found.state) for found in store.headings()] == [(first.digest, ToolState.ACTIVE)]

    store.lifecycle.change_state(first.digest, ToolState.QUARANTINED, actor="policy", reason="")
    assert [(found.digest, found.state) for found in store.headings()] == [(second.digest, ToolState.QUARANTINED)]
