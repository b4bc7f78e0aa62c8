"""Solving, with scripted models: the right tool, an answer that a tool returned, or an honest end."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from toolwright.calling.models import Models
from toolwright.calling.testing import (
    ModelRequest,
    Rule,
    Scripted,
    ScriptedModel,
    StandIn,
    StandInExecutor,
    calls,
    failed,
    says,
)
from toolwright.domain.events import (
    Answered,
    Called,
    Declined,
    Dispatched,
    Failed,
    Made,
    Missed,
    NotMade,
    Ran,
    SolveEvent,
    Started,
)
from toolwright.domain.gates import GatePolicy
from toolwright.domain.ledger import CostKey
from toolwright.domain.outcome import Status
from toolwright.domain.record import Check, Making, Role, VerificationRecord
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.domain.tool import Demonstration, Dependency, Description, RegisteredTool, ToolState, ToolVersion
from toolwright.errors import (
    CallCancelled,
    DeadlineExceeded,
    InvalidInput,
    ModelReplyInvalid,
    ModelUnavailable,
    NotFound,
    NotReady,
)
from toolwright.llm.prices import PriceList
from toolwright.making.pipeline import Maker
from toolwright.making.rules import Rules
from toolwright.making.workshop import Workshop
from toolwright.registry.memory import MemoryStore
from toolwright.registry.memory_search import Listed
from toolwright.sandbox.base import Cancellation
from toolwright.settings import DispatchSettings
from toolwright.solving.choices import MAX_CANDIDATES, Choices
from toolwright.solving.pending import COOL_DOWN_S
from toolwright.solving.solver import Solver

ADD = StandIn.of(lambda a, b: a + b, a="integer", b="integer")
PICK = StandIn.of(lambda a, b: ["no", "Yes"][a > b], a="integer", b="integer")
CHOICE_QUESTION = "Is 3 more than 2?\n(A) Yes\n(B) No"


def chooses(name: str) -> Scripted:
    """Return a dispatcher's choice."""
    return calls("choose_tool", {"tool": name, "reason": "It fits."})


def version(name: str, mark: str, kind: AnswerKind = AnswerKind.NUMBER) -> ToolVersion:
    """Return a tool of which `mark` names the stand-in."""
    assert isinstance(ADD.description, dict)
    return ToolVersion(
        name,
        ToolSource(f"# {mark}", name),
        Description(f"Does {mark}.", f"{name}(a: int, b: int) -> int", ADD.description["parameters"]),
        kind,
        (Demonstration(f"Sample of {name}: 1 and 2?", '{"a": 1, "b": 2}', "3"),),
    )


def task(name: str) -> Task:
    """Return a task without a tool."""
    return Task(
        name,
        f"About {name}.",
        (Example("t", f"For {name}: 1 and 2?", "3"),),
        (Example("h", f"For {name}: 3 and 4?", "7"),),
        AnswerKind.NUMBER,
    )


def reads_numbers(request: ModelRequest) -> Scripted:
    """A light model that reads a question rightly."""
    a, b = map(int, re.findall(r"\d+", request.question)[:2])
    return calls(request.functions[0].name, {"a": a, "b": b})


@dataclass
class Bench:
    """A solver with everything around it."""

    dispatcher: ScriptedModel
    user: ScriptedModel = field(default_factory=lambda: ScriptedModel(reads_numbers, "light"))
    maker: ScriptedModel = field(default_factory=lambda: ScriptedModel([], "strong"))
    store: MemoryStore = field(default_factory=MemoryStore)
    stand_ins: dict[str, StandIn] = field(default_factory=lambda: {"# add": ADD, "# pick": PICK})

    def __post_init__(self) -> None:
        self.executor = StandInExecutor(self.stand_ins, self.store)
        self.models = Models(self.maker, self.user, self.dispatcher, PriceList({}))
        parts = {"models": self.models, "executor": self.executor, "store": self.store}
        at_once = GatePolicy(again_after_s=0.0)
        self.making = Maker(**parts, gates=at_once)  # type: ignore[arg-type]  # one dict for both
        self.workshop = Workshop(self.making, self.store, rules=Rules(lease_s=0.3))
        self.solver = Solver(**parts, maker=self.workshop)  # type: ignore[arg-type]  # one dict for both

    def keep(self, version: ToolVersion) -> RegisteredTool:
        checks = tuple(Check(f"{held}", held, Status.SUCCESS, passed=True, execution_id="x") for held in (False, True))
        of = task(version.name)
        record = VerificationRecord(version.digest[-8:], version.digest, of.digest, "", "", "", "", checks, 1, 0.0)
        return self.store.admit(version, record, of)

    def solve(self, question: str, **options: Any) -> list[SolveEvent]:
        return list(self.solver.solve(question, **options))


def bench(
    *dispatched: Scripted, user: Rule | Sequence[Scripted] = reads_numbers, tools: Sequence[str] = ("add", "pick")
) -> Bench:
    """Return a bench with `tools` in its registry."""
    at = Bench(ScriptedModel(list(dispatched), "router"), ScriptedModel(user, "light"))
    for mark in tools:
        at.keep(version(f"{mark}_tool", mark, AnswerKind.CHOICE if mark == "pick" else AnswerKind.NUMBER))
    return at


def test_the_chosen_tool_answers() -> None:
    """Dispatched, called, ran, answered; every step names the version, and the cost is summed."""
    at = bench(chooses("add_tool"))
    dispatched, called, ran, answered = at.solve("What is 20 plus 22?")
    assert dispatched == Dispatched("add_tool@1", "", "It fits.", named="add_tool")
    assert called == Called("add_tool@1", '{"a": 20, "b": 22}', repair=False)
    assert isinstance(ran, Ran)
    assert isinstance(answered, Answered)
    assert (answered.answer, answered.result_json, answered.tool) == ("42", "42", "add_tool@1")
    assert answered.execution_id == ran.execution.execution_id
    assert [(use.role, use.calls) for use in answered.token_use] == [(Role.DISPATCHER, 1), (Role.USER, 1)]
    kept = at.store.ledger.sums([CostKey.PURPOSE, CostKey.ROLE, CostKey.TASK, CostKey.TOOL, CostKey.TENANT])
    assert [row.key for row in kept] == [
        ("using", "dispatcher", "add_tool", "add_tool@1", "default"),
        ("using", "user", "add_tool", "add_tool@1", "default"),
    ]
    assert at.executor.requests[0].purpose == "solve"


def test_a_choice_is_answered_by_its_letter() -> None:
    """The tool's text result becomes the option's letter."""
    end = bench(chooses("pick_tool")).solve(CHOICE_QUESTION)[-1]
    assert isinstance(end, Answered)
    assert (end.answer, end.result_json) == ("(A)", '"Yes"')


def test_the_light_model_sees_what_verification_used() -> None:
    """The prompt of a kept tool is the prompt with which its wrapped form was verified."""
    at = bench(chooses("add_tool"), tools=())
    at.store.save_task(task("add_tool"))
    at.maker.replies = [says("```python\n# add\n```")]
    events = at.solve("What is 20 plus 22?")
    assert isinstance(events[-1], Answered)
    held_out, solving = at.user.requests[-2], at.user.requests[-1]
    assert held_out.messages[0] == solving.messages[0]
    assert held_out.functions == solving.functions


def test_a_named_tool_skips_the_dispatcher() -> None:
    """The caller's choice is taken, by any form of reference."""
    at = bench()
    for reference in ("add_tool", "add_tool@1", at.store.get_tool("add_tool").version.digest):
        events = at.solve("What is 1 plus 2?", tool=reference)
        assert isinstance(events[0], Dispatched)
        assert events[0].tool == "add_tool@1"
        assert isinstance(events[-1], Answered)
    assert not at.dispatcher.requests


def test_an_unknown_named_tool_is_the_callers_mistake() -> None:
    """It is refused at once, before a model is asked."""
    at = bench()
    with pytest.raises(NotFound):
        at.solver.solve("What?", tool="nothing")
    with pytest.raises(InvalidInput):
        at.solver.solve("What?", tool="no such form!")


class HeldBack(MemoryStore):
    """A registry in which every version is held back."""

    def get_tool(self, reference: str, *, lot: float = 1.0) -> RegisteredTool:
        return replace(super().get_tool(reference), state=ToolState.QUARANTINED)

    def _listed(self) -> Sequence[Listed]:
        return []


def test_a_version_held_back_is_not_used() -> None:
    """It is not offered, its task is not made anew, and naming it is refused before a model is asked."""
    at = Bench(ScriptedModel([]), store=HeldBack())
    at.keep(version("add_tool", "add"))
    at.store.save_task(task("add_tool"))
    assert isinstance(at.solve("What is 1 plus 2?")[-1], Declined)
    with pytest.raises(NotReady, match="quarantined"):
        at.solver.solve("What is 1 plus 2?", tool="add_tool")


def waiting(**settings: Any) -> Bench:
    """Return a bench whose one tool waits for approval."""
    at = Bench(ScriptedModel(lambda _: chooses("add_tool"), "router"))
    kept = at.keep(version("add_tool", "add"))
    at.store.lifecycle.change_state(kept.version.digest, ToolState.QUARANTINED, actor="ann", reason="to be approved")
    at.store.lifecycle.change_state(kept.version.digest, ToolState.VERIFIED, actor="ann", reason="to be approved")
    parts = {"models": at.models, "executor": at.executor, "store": at.store, "maker": at.workshop}
    at.solver = Solver(**parts, settings=DispatchSettings(**settings))  # type: ignore[arg-type]  # one dict for all
    return at


@pytest.mark.parametrize("among", [(), ("add_tool",)])
def test_a_tool_that_waits_for_approval_is_known_and_not_made_again(among: Sequence[str]) -> None:
    """Its question is declined with what to do; it is no miss, and nothing is proposed."""
    at = waiting()
    dispatched, declined = at.solve("What is 1 plus 2?", among=among)
    assert isinstance(dispatched, Dispatched)
    assert isinstance(declined, Declined)
    assert "add_tool@1 waits until a person approves it" in declined.reason
    assert "toolwright tools approve add_tool@1" in declined.reason
    assert not at.executor.requests
    assert not at.maker.requests
    assert list(at.store.misses.list_groups("default", after="", limit=5)) == []


def test_a_tool_whose_part_is_held_back_is_not_called() -> None:
    """The question is declined, with the part's name, before the light model is asked."""
    at = bench(chooses("whole"), chooses("whole"), tools=("add",))
    part = at.store.get_tool("add_tool").version
    whole = replace(version("whole", "add"), dependencies=(Dependency(part.name, part.digest),))
    at.keep(whole)
    assert isinstance(at.solve("What is 1 plus 2?")[-1], Answered)  # the control
    at.store.lifecycle.change_state(part.digest, ToolState.QUARANTINED, actor="ann", reason="wrong")
    asked = len(at.user.requests)
    declined = at.solve("What is 1 plus 2?")[-1]
    assert isinstance(declined, Declined)
    assert "whole@1 is made from add_tool@1, which is quarantined" in declined.reason
    assert len(at.user.requests) == asked


def test_the_strong_model_answers_for_a_tool_that_waits() -> None:
    """Where it answers what no tool does; what it takes is the account of the tool's task, and no group begins."""
    at = waiting(answer_misses="strong")
    at.maker.replies = [calls("give_answer", {"working": "", "answer": "3"})]
    end = at.solve("What is 1 plus 2?")[-1]
    assert isinstance(end, Answered)
    assert (end.answer, end.tool) == ("3", "")
    assert [row.key for row in at.store.ledger.sums([CostKey.ROLE, CostKey.TASK])][-1] == ("strong", "add_tool")
    assert list(at.store.misses.list_groups("default", after="", limit=5)) == []


def test_the_dispatcher_sees_all_tools_and_the_bare_question() -> None:
    """Each tool is documented with signature, summary and a sample question; so are tasks without a tool."""
    at = bench(chooses("none"))
    at.store.save_task(task("pending_task"))
    at.store.save_task(task("add_tool"))
    at.solve("What is love?")
    (request,) = at.dispatcher.requests
    assert request.required
    assert request.question == "What is love?"
    (function,) = request.functions
    assert function.name == "choose_tool"
    assert function.parameters["properties"]["tool"]["enum"] == ["add_tool", "pending_task", "pick_tool", "none"]
    system = request.messages[0].content
    for part in ("add_tool(a: int, b: int) -> int", "Does add.", "Sample of add_tool: 1 and 2?"):
        assert f"    {part}" in system
    assert "    About pending_task." in system
    assert "    For pending_task: 1 and 2?" in system
    assert "3 and 4" not in system


def test_no_fitting_tool_is_declined_with_the_reason() -> None:
    """Nothing is called and nothing is run."""
    at = bench(calls("choose_tool", {"tool": "none", "reason": "Nothing\nfits\x1b[0m."}))
    dispatched, missed, declined = at.solve("What is love?")
    assert dispatched == Dispatched("", "", "Nothing fits [0m.")
    assert isinstance(missed, Missed)
    assert (missed.count, missed.needed) == (0, 8)
    assert isinstance(declined, Declined)
    assert declined.reason == "Nothing fits [0m."
    assert [use.role for use in declined.token_use] == [Role.DISPATCHER]
    assert not at.executor.requests


def test_without_tools_and_tasks_no_model_is_asked() -> None:
    """There is nothing to choose from, so there is nothing to pay for."""
    at = bench(tools=())
    events = at.solve("What is love?")
    assert isinstance(events[-1], Declined)
    assert "make one first" in events[-1].reason
    assert not at.dispatcher.requests


@pytest.mark.parametrize(
    "bad",
    [
        chooses("rm_rf"),
        calls("choose_tool", {"tool": "add_tool"}),
        calls("choose_tool", '{"tool": "add_tool", "reason": "x"'),
        calls("add_tool", {"tool": "add_tool", "reason": "It fits."}),
        says("add_tool"),
    ],
)
def test_a_bad_choice_is_repaired_once_and_then_declined(bad: Scripted) -> None:
    """A name that was not offered never reaches the registry."""
    at = bench(bad, chooses("add_tool"))
    assert isinstance(at.solve("What is 1 plus 2?")[-1], Answered)
    assert at.dispatcher.requests[1].repairs
    assert at.dispatcher.requests[1].question == "What is 1 plus 2?"
    at = bench(bad, bad)
    declined = at.solve("What is 1 plus 2?")[-1]
    assert isinstance(declined, Declined)
    assert "did not choose" in declined.reason
    assert not at.executor.requests


def test_a_task_without_a_tool_is_made_first() -> None:
    """The events of making come between the dispatch and the call, and the cost holds both."""
    at = bench(chooses("sums"), tools=())
    at.store.save_task(task("sums"))
    at.maker.replies = [says("Sorry."), says("```python\n# add\n```")]
    events = at.solve("What is 20 plus 22?")
    assert events[0] == Dispatched("", "sums", "It fits.", named="sums")
    assert isinstance(events[1], Started)
    made = next(event for event in events if isinstance(event, Made))
    assert {use.role for use in made.token_use} == {Role.MAKER, Role.USER}
    end = events[-1]
    assert isinstance(end, Answered)
    assert (end.answer, end.tool) == ("42", "sums@1")
    assert {use.role: use.calls for use in end.token_use} == {Role.DISPATCHER: 1, Role.MAKER: 2, Role.USER: 3}
    assert sum(row.calls for row in at.store.ledger.sums()) == 6


def test_a_task_whose_making_fails_is_an_honest_failure() -> None:
    """The reason is handed on; nothing is answered."""
    at = bench(chooses("sums"), tools=())
    at.store.save_task(task("sums"))
    at.maker.replies = lambda _: says("Sorry.")
    events = at.solve("What is 20 plus 22?")
    assert isinstance(events[-2], NotMade)
    end = events[-1]
    assert isinstance(end, Failed)
    assert "no tool could be made for 'sums'" in end.reason
    assert end.status is None


def refusing() -> Bench:
    """Return a bench with the task `sums`, of which no tool can be made, after a question that tried."""
    at = Bench(ScriptedModel(lambda _: chooses("sums"), "router"))
    at.store.save_task(task("sums"))
    at.maker.replies = lambda _: says("Sorry.")
    assert isinstance(at.solve("What is 20 plus 22?")[-1], Failed)
    return at


def test_a_task_that_was_just_refused_is_not_made_again() -> None:
    """The next question is declined with the reason, at the cost of its dispatch alone."""
    at = refusing()
    asked = len(at.maker.requests)
    dispatched, declined = at.solve("What is 20 plus 22?")
    assert dispatched == Dispatched("", "sums", "It fits.", named="sums")
    assert isinstance(declined, Declined)
    for part in ("no tool could be made for 'sums' 0 min ago", "10 min", "no fenced ```python block"):
        assert part in declined.reason
    assert [use.role for use in declined.token_use] == [Role.DISPATCHER]
    assert len(at.maker.requests) == asked
    assert len(at.store.list_makings()) == 1


def test_making_explicitly_need_not_wait() -> None:
    """Whoever asks for the making gets it, and the next question its tool."""
    at = refusing()
    at.maker.replies = lambda _: says("```python\n# add\n```")
    assert isinstance(list(at.making.make(task("sums")))[-1], Made)
    end = at.solve("What is 20 plus 22?")[-1]
    assert isinstance(end, Answered)
    assert end.answer == "42"


REFUSED = "none of 5 attempts passed; the last: wrong"


@pytest.mark.parametrize(
    ("age_s", "failure", "ends"),
    [
        (COOL_DOWN_S - 60, REFUSED, Declined),
        (COOL_DOWN_S + 1, REFUSED, Answered),
        (1, "ModelUnavailable: 503", Answered),
        (1, "stopped: the caller went away", Answered),
        (1, "", Answered),
    ],
)
def test_only_a_recent_refusal_is_waited_for(age_s: float, failure: str, ends: type[SolveEvent]) -> None:
    """A fault says nothing of the task, nor does a caller who left, nor a making that may still be running."""
    at = bench(chooses("sums"), tools=())
    at.store.save_task(task("sums"))
    at.maker.replies = [says("```python\n# add\n```")]
    at.store.start_making(Making("m", "sums", time.time() - age_s - 30))
    if failure:
        at.store.finish_making("m", at=time.time() - age_s, failure=failure)
    end = at.solve("What is 20 plus 22?")[-1]
    assert isinstance(end, ends)
    if isinstance(end, Declined):
        assert "9 min ago" in end.reason


def both_at_once(at: Bench, first: threading.Event) -> list[SolveEvent]:
    """Ask twice at the same time, the second while the first one's maker is busy; return how both ended."""
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(at.solve, "What is 20 plus 22?")
        assert first.wait(10)
        two = threads.submit(at.solve, "What is 1 plus 2?")
        return [one.result(30)[-1], two.result(30)[-1]]


def slow_maker(at: Bench, reply: str) -> threading.Event:
    """Let the maker reply when another question has been dispatched; return what is set when it is asked."""
    asked = threading.Event()

    def replies(_: ModelRequest) -> Scripted:
        asked.set()
        give_up = time.monotonic() + 10
        while len(at.dispatcher.requests) < 2 and time.monotonic() < give_up:
            time.sleep(0.01)
        time.sleep(0.05)
        return says(reply)

    at.maker.replies = replies
    return asked


def test_two_questions_at_once_make_one_tool() -> None:
    """The second waits for the first one's making, and has its tool; the maker is paid once."""
    at = Bench(ScriptedModel(lambda _: chooses("sums"), "router"))
    at.store.save_task(task("sums"))
    ends = both_at_once(at, slow_maker(at, "```python\n# add\n```"))
    assert [end.answer for end in ends if isinstance(end, Answered)] == ["42", "3"]
    assert len(at.maker.requests) == len(at.store.list_makings()) == 1


def test_two_questions_at_once_are_refused_one_tool() -> None:
    """When their one making comes to nothing, both are told so, and another is not started."""
    at = Bench(ScriptedModel(lambda _: chooses("sums"), "router"))
    at.store.save_task(task("sums"))
    ends = both_at_once(at, slow_maker(at, "Sorry."))
    assert [type(end) for end in ends] == [Failed, Failed]
    assert len(at.maker.requests) == 5
    assert len(at.store.list_makings()) == 1


def waiting_maker(at: Bench) -> threading.Event:
    """Let the maker wait before it replies; return what lets it go on."""
    go_on = threading.Event()

    def replies(_: ModelRequest) -> Scripted:
        assert go_on.wait(20)
        return says("```python\n# add\n```")

    at.maker.replies = replies
    return go_on


def test_waiting_for_a_making_ends_with_the_patience() -> None:
    """A question does not wait for a making beyond its own deadline, nor when nobody wants it; the making goes on."""
    at = Bench(ScriptedModel(lambda _: chooses("sums"), "router"))
    at.store.save_task(task("sums"))
    go_on, cancellation = waiting_maker(at), Cancellation()
    with pytest.raises(DeadlineExceeded):
        at.solve("What is 1 plus 2?", deadline_s=0.3)
    waiting = at.solver.solve("What is 1 plus 2?", cancellation=cancellation)
    next(waiting), next(waiting)
    cancellation.cancel()
    with pytest.raises(CallCancelled):
        next(waiting)
    go_on.set()
    assert isinstance(at.solve("What is 1 plus 2?", deadline_s=30)[-1], Answered)
    assert len(at.maker.requests) == 1


def test_a_making_goes_on_when_its_question_goes_away() -> None:
    """The tool is there for the next one, and nothing was paid for nothing."""
    at = bench(chooses("sums"), chooses("sums"), tools=())
    at.store.save_task(task("sums"))
    go_on = waiting_maker(at)
    events = at.solver.solve("What is 20 plus 22?")
    next(events), next(events)
    events.close()
    go_on.set()
    assert isinstance(at.solve("What is 20 plus 22?")[-1], Answered)
    assert len(at.maker.requests) == len(at.store.list_makings()) == 1


def test_a_bad_call_and_a_tool_error_are_repaired() -> None:
    """Each shows in the events, and the second call answers."""
    at = bench(chooses("add_tool"), user=[calls("add_tool", '{"a": 1'), calls("add_tool", {"a": 1, "b": 2})])
    events = at.solve("What is 1 plus 2?")
    assert [type(event) for event in events] == [Dispatched, Called, Called, Ran, Answered]
    assert isinstance(events[1], Called)
    assert "is no JSON" in events[1].refusal


def test_a_tool_that_keeps_failing_is_an_honest_failure() -> None:
    """The end carries the status and what the tool said, and no answer."""
    at = bench(chooses("add_tool"))
    at.stand_ins["# add"] = replace(ADD, function=lambda a, b: failed(Status.TIMEOUT, "WallTime", "10 s"))
    events = at.solve("What is 1 plus 2?")
    assert [type(event) for event in events] == [Dispatched, Called, Ran, Called, Ran, Failed]
    end = events[-1]
    assert isinstance(end, Failed)
    assert end.status is Status.TIMEOUT
    assert end.tool == "add_tool@1"
    assert "TIMEOUT (WallTime: 10 s)" in end.reason


@pytest.mark.parametrize("fault", [ModelUnavailable("503"), ModelReplyInvalid("no choices")])
def test_a_dead_endpoint_is_raised(fault: Exception) -> None:
    """A question without a working model has no honest end but the error."""
    at = bench(fault, fault)
    with pytest.raises(type(fault)):
        at.solve("What is 1 plus 2?")
    at = bench(chooses("add_tool"), user=[fault, fault])
    with pytest.raises(type(fault)):
        at.solve("What is 1 plus 2?")
    assert not at.executor.requests


@pytest.mark.parametrize("question", ["", " \n", "x" * 10 * 1024 * 1024, "\ud800"])
def test_a_bad_question_is_refused_at_once(question: str) -> None:
    """Size and form are checked before the store or a model is asked, and without a wait."""
    at = bench()
    start = time.perf_counter()
    with pytest.raises(InvalidInput, match="question"):
        at.solver.solve(question)
    assert time.perf_counter() - start < 0.2
    assert not at.dispatcher.requests


def test_cancellation_and_deadline_stop_between_steps() -> None:
    """Nothing more is asked once nobody waits."""
    at, cancellation = bench(chooses("add_tool")), Cancellation()
    events = at.solver.solve("What is 1 plus 2?", cancellation=cancellation)
    next(events)
    cancellation.cancel()
    with pytest.raises(CallCancelled):
        next(events)
    assert not at.user.requests
    with pytest.raises(DeadlineExceeded):
        bench().solve("What is 1 plus 2?", deadline_s=0.0)


def test_very_many_tools_are_cut_to_those_that_share_words() -> None:
    """The dispatcher is offered a bounded list, which holds the likeliest tool."""
    store = MemoryStore()
    for number in range(MAX_CANDIDATES + 50):
        store.save_task(task(f"task_{number:03}"))
    store.save_task(replace(task("zzz_anagrams"), description="Unscramble anagrams of rivers."))
    names = [choice.name for choice in Choices(store).offered_for("Which anagrams of rivers are these?").choices]
    assert 0 < len(names) <= MAX_CANDIDATES
    assert "zzz_anagrams" in names
    assert names == sorted(names)


class CountingStore(MemoryStore):
    """Notes what is read in full."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def get_tool(self, reference: str, *, lot: float = 1.0) -> RegisteredTool:
        self.read.append(reference)
        return super().get_tool(reference)

    def get_task(self, name: str) -> Task:
        self.read.append(name)
        return super().get_task(name)

    def list_tools(self, *, after: str = "", limit: int = 100) -> Sequence[RegisteredTool]:
        tools = super().list_tools(after=after, limit=limit)
        self.read += [tool.reference for tool in tools]
        return tools


def test_what_was_offered_is_not_read_again() -> None:
    """A question reads what is new since the last one, and sees what has changed."""
    store = CountingStore()
    at = Bench(ScriptedModel([]), store=store)
    kept = at.keep(version("add_tool", "add"))
    store.save_task(task("sums"))
    choices = Choices(store)
    before = choices.offered_for("What?")
    assert store.read == [kept.version.digest, "sums"]
    assert choices.offered_for("What?") == before
    assert len(store.read) == 2

    newer = at.keep(version("add_tool", "pick"))
    store.save_task(replace(task("sums"), description="Otherwise."))
    changed = choices.offered_for("What?").choices
    assert [(choice.reference, choice.summary) for choice in changed] == [
        ("add_tool@2", "Does pick."),
        ("", "Otherwise."),
    ]
    assert store.read[2:] == [newer.version.digest, "sums"]
    at.keep(version("sums", "add"))
    assert [choice.reference for choice in choices.offered_for("What?").choices] == ["add_tool@2", "sums@1"]
