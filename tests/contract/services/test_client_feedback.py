"""Reports, verifying again and the cache's mark, over gRPC: the same by both clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from toolwright.client import Reverified
from toolwright.domain.events import Declined, SolveEvent
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import AlreadyExists, InvalidInput, NotFound, NotReady, Unsupported
from toolwright.lifecycle.outcomes import Outcomes
from toolwright.lifecycle.reverify import Reverdict
from toolwright.registry.memory import MemoryStore
from toolwright.registry.testing import sample_execution as sample_entry
from toolwright.registry.testing import sample_version
from toolwright.services.calls import CallScope
from toolwright.services.testing import ScriptedExecutor, ScriptedSolver, parts, sample_execution, serving

if TYPE_CHECKING:
    from tests.contract.services.conftest import Connect

pytestmark = pytest.mark.contract

TOOL = RegisteredTool(sample_version(), 2, ToolState.QUARANTINED, "v-1", 1.5)


@dataclass
class ScriptedReverifier:
    """Verifies nothing; says what the test wants."""

    verdict: Reverdict
    asked: list[tuple[str, str]] = field(default_factory=list)

    def verify(self, reference: str, *, actor: str = "", **_rest: Any) -> Reverdict:
        self.asked.append((reference, actor))
        return self.verdict


def test_reports_arrive_once(connect: Connect) -> None:
    """A new one, the same again, a contradiction, and what cannot be reported on; each with its class."""
    store = MemoryStore()
    told: list[str] = []
    store.add_execution(sample_entry("e-1"))
    store.add_execution(sample_entry("source", verification_id=""))
    outcomes = Outcomes(store, told.append, clock=lambda: 7.5)
    with serving(parts(store=store, reporting=outcomes)) as address, connect(address) as client:
        assert client.report("e-1", correct=False, answer="4", actor="ann")
        assert not client.report("e-1", correct=False, answer="4")
        with pytest.raises(AlreadyExists, match="a first report stands"):
            client.report("e-1", correct=True)
        with pytest.raises(NotFound, match="e-2"):
            client.report("e-2", correct=True)
        with pytest.raises(NotReady, match="bare source"):
            client.report("source", correct=True)
        with pytest.raises(InvalidInput, match="execution_id"):
            client.report("", correct=True)
        for bad in ({"answer": "x" * 20_000}, {"actor": "x" * 300}, {"answer": "\ud800"}):
            with pytest.raises(InvalidInput):
                client.report("e-1", correct=False, **bad)

    (kept,) = store.feedback.latest_reports(sample_entry().tool_digest, limit=10)
    assert (kept.correct, kept.answer, kept.actor, kept.at) == (False, "4", "ann", 7.5)
    assert told == [sample_entry().tool_digest]


def test_who_reports_is_unknown_where_nobody_says(connect: Connect) -> None:
    """Kept as a word, not as an empty text."""
    store = MemoryStore()
    store.add_execution(sample_entry("e-1"))
    with serving(parts(store=store, reporting=Outcomes(store, lambda _: None))) as address, connect(address) as client:
        client.report("e-1", correct=True)

    (kept,) = store.feedback.latest_reports(sample_entry().tool_digest, limit=10)
    assert kept.actor == "unknown"


@pytest.mark.parametrize("passed", [True, False])
def test_what_came_of_verifying_again_arrives(connect: Connect, passed: bool) -> None:  # noqa: FBT001 - a case
    """Failing is a normal reply."""
    reason = "" if passed else "2 of 5 held-out examples are wrong"
    reverifier = ScriptedReverifier(Reverdict(passed, TOOL, reason))
    with serving(parts(reverifying=reverifier)) as address, connect(address) as client:
        assert client.verify("add@2", actor="ann") == Reverified(passed, TOOL.info, reason)
        with pytest.raises(InvalidInput):
            client.verify("")
        with pytest.raises(InvalidInput, match="actor"):
            client.verify("add", actor="x" * 300)

    assert reverifier.asked == [("add@2", "ann")]


def test_a_server_without_feedback_says_so(connect: Connect) -> None:
    """No crash, and no report that goes nowhere."""
    with serving(parts()) as address, connect(address) as client:
        with pytest.raises(Unsupported):
            client.report("e-1", correct=True)
        with pytest.raises(Unsupported):
            client.verify("add")


@pytest.mark.parametrize("computed_by", ["", "d" * 32])
def test_a_known_result_says_so(connect: Connect, computed_by: str) -> None:
    """The mark, and the execution that ran."""
    sample = sample_execution()
    execution = replace(sample, provenance=replace(sample.provenance, computed_by=computed_by))
    executor = ScriptedExecutor(lambda _request, _scope: execution)
    with serving(parts(executor=executor)) as address, connect(address) as client:
        reply = client.execute("add", {"a": 1}, bypass_cache=bool(computed_by))

    assert (reply.from_cache, reply.provenance.computed_by) == (bool(computed_by), computed_by)
    assert executor.asked[0].bypass_cache is bool(computed_by)


def test_a_question_can_bypass_known_results(connect: Connect) -> None:
    """It reaches the solver."""

    def declines(_question: str, _scope: CallScope) -> Iterator[SolveEvent]:
        yield Declined("no", ())

    solver = ScriptedSolver(declines)
    with serving(parts(solver=solver)) as address, connect(address) as client:
        client.solve("What?", bypass_cache=True)
        client.solve("What?")

    assert solver.bypassed == [True, False]
