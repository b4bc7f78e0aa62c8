"""Domain values come back from the wire as they went."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.events import (
    Answered,
    Called,
    Checked,
    Declined,
    Dispatched,
    Failed,
    Judged,
    Made,
    MakingEvent,
    Missed,
    NotMade,
    Proposed,
    Ran,
    Rejected,
    Resumed,
    SolveEvent,
    Started,
)
from toolwright.domain.gates import GateName
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Failure, Status
from toolwright.domain.record import Role, Stage, TokenUse
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Example
from toolwright.domain.tool import Dependency, RegisteredTool, ToolState
from toolwright.errors import InvalidInput
from toolwright.registry.testing import sample_gates, sample_record, sample_task, sample_version
from toolwright.services.convert.events import making_from_wire, making_to_wire, solve_from_wire, solve_to_wire
from toolwright.services.convert.execution import (
    execution_from_wire,
    execution_to_wire,
    limits_request_from_wire,
    request_from_wire,
    request_to_wire,
)
from toolwright.services.convert.text import time_from_wire, time_to_wire, wire_text
from toolwright.services.convert.tools import (
    task_from_wire,
    task_to_wire,
    tool_from_wire,
    tool_to_wire,
    verification_from_wire,
    verification_to_wire,
)
from toolwright.services.testing import sample_execution
from toolwright.v1 import execution_pb2, tools_pb2, types_pb2

USES = (TokenUse(Role.MAKER, "big", 3, 100, 20, 0.125), TokenUse(Role.USER, "small", 1, 7, 2, 0.0))
PARTS = (Dependency("half", "sha256:" + "f" * 64),)
TOOL = RegisteredTool(sample_version(dependencies=PARTS), 3, ToolState.ACTIVE, "v-1", 1_700_000_000.25).info
MAKING: list[MakingEvent] = [
    Proposed(1, "def add(a, b): ..."),
    Proposed(2, ""),
    Rejected(2, Stage.VERIFY, "example 't1': expected 3, got 4"),
    Checked(1, "h1", held_out=True, passed=False, status=Status.TIMEOUT),
    Checked(1, "h2", held_out=False, passed=False, status=None),
    Judged(1, GateName.SCHEMA, passed=True, summary="descriptions: 3, differed: 0"),
    Judged(1, GateName.HELD_OUT, passed=False, summary=""),
    Made(TOOL, 2, USES),
    Made(TOOL, 2, USES, merged=True),
    NotMade("no attempt passed", 5, ()),
    NotMade("no attempt passed", 5, USES, "tokens"),
    Started("m-1", shared=True),
    Resumed(3, 1),
]
SOLVING: list[SolveEvent] = [
    Dispatched("add@3", "", "fits"),
    Dispatched("", "add", ""),
    Dispatched("", "", "not sure", 40, "add"),
    Missed("0123456789abcdef", 7, 8, "fedcba9876543210"),
    Answered("(B)", "", "", "", USES, "strong model"),
    Called("add@3", '{"a":1}', repair=True, refusal="b is missing"),
    Ran(sample_execution()),
    Answered("(B)", '"B"', "add@3", "e-1", USES),
    Declined("no tool fits", USES),
    Failed("the call timed out", "add@3", Status.TIMEOUT, ()),
    Failed("no call was made", "add@3", None, ()),
    *MAKING,
]
TEXT = st.text(max_size=200)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"result_json": ""},
        {"status": Status.TOOL_ERROR, "result_json": None, "failure": Failure("ValueError", "bad \x00 \x1b[2J", "tb")},
        {"status": Status.CRASHED, "result_json": None, "failure": Failure("", "", "")},
    ],
)
def test_execution_survives(changes: dict[str, object]) -> None:
    """All fields survive, the empty result and the empty failure included."""
    execution = sample_execution(**changes)

    assert execution_from_wire(execution_to_wire(execution)) == execution


def test_sample_execution_leaves_nothing_out() -> None:
    """The sample gives each number its own value, so that two fields that are mixed up show."""
    execution = sample_execution()
    for part in (execution.limits, execution.timing, execution.outcome.usage, execution.provenance):
        values = [getattr(part, field.name) for field in fields(part)]
        assert len(set(values)) == len(values)
        assert all(values)


@given(TEXT, TEXT, TEXT)
def test_any_text_of_a_failure_can_be_sent(type_: str, message: str, traceback: str) -> None:
    """What a tool says may be any text; valid text arrives unchanged."""
    failure = Failure(type_, message, traceback)
    sent = sample_execution(status=Status.TOOL_ERROR, result_json=None, failure=failure)
    assert execution_from_wire(execution_to_wire(sent)) == sent


@pytest.mark.parametrize(
    ("text", "arrives"),
    [("a\ud800b", "a\ufffdb"), ("\udc80", "\ufffd"), ("\ud83d\ude00", "😀"), ("ok", "ok")],
)
def test_lone_surrogates_become_replacement_characters(text: str, arrives: str) -> None:
    """The documented rule for texts that are no Unicode."""
    assert wire_text(text) == arrives
    failure = Failure("E", text, text)
    sent = sample_execution(status=Status.TOOL_ERROR, result_json=None, failure=failure)
    received = execution_from_wire(execution_to_wire(sent)).outcome.failure
    assert received == Failure("E", arrives, arrives)


@pytest.mark.parametrize("event", MAKING, ids=repr)
def test_making_event_survives(event: MakingEvent) -> None:
    """Every step of making comes back as it went."""
    assert making_from_wire(making_to_wire(event)) == event


@pytest.mark.parametrize("event", SOLVING, ids=repr)
def test_solve_event_survives(event: SolveEvent) -> None:
    """Every step of solving comes back as it went."""
    assert solve_from_wire(solve_to_wire(event)) == event


def test_event_samples_are_complete() -> None:
    """A new kind of event cannot be forgotten here."""
    assert {type(event) for event in MAKING} == set(MakingEvent.__args__)
    assert {type(event) for event in SOLVING} == set(SolveEvent.__args__)


def test_empty_event_is_refused() -> None:
    """An event of a newer protocol looks empty to this one, and is no step that can be shown."""
    with pytest.raises(InvalidInput, match="event: is not known"):
        making_from_wire(tools_pb2.MakeToolResponse())


def test_tool_survives() -> None:
    """A tool with its schema and demonstrations comes back as it went."""
    assert tool_from_wire(tool_to_wire(TOOL)) == TOOL


def test_verification_survives() -> None:
    """A verification record comes back as it went."""
    record = sample_record(sample_version())
    assert verification_from_wire(verification_to_wire(record)) == record
    full = replace(
        record,
        gates=sample_gates(),
        seed=2**48 - 1,
        maker_prompts=("sha256:1",),
        user_prompts=("sha256:2", "sha256:3"),
        limits=LimitsRequest(2.0, 100),
        policy={"probes": 24, "headroom": 1.5},
    )
    assert verification_from_wire(verification_to_wire(full)) == full


def test_a_tools_own_limits_survive() -> None:
    """So does the image that it was verified in; a tool without them has none afterwards either."""
    limited = replace(TOOL, limits=LimitsRequest(2.0, 100), image_digest="sha256:4")
    assert tool_from_wire(tool_to_wire(limited)) == limited
    assert tool_from_wire(tool_to_wire(TOOL)) == TOOL


@pytest.mark.parametrize(
    "message",
    [
        tools_pb2.VerificationRecord(gates=[tools_pb2.GateVerdict(gate="pearly")]),
        tools_pb2.VerificationRecord(gates=[tools_pb2.GateVerdict(gate="source", evidence_json="[]")]),
        tools_pb2.VerificationRecord(policy_json="{"),
    ],
)
def test_a_record_with_an_unknown_gate_is_refused(message: tools_pb2.VerificationRecord) -> None:
    """A client says so instead of guessing."""
    with pytest.raises(InvalidInput):
        verification_from_wire(message)


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_times_survive_to_the_microsecond(microseconds: int) -> None:
    """A time of the registry, which keeps microseconds, is the same float afterwards."""
    seconds = microseconds / 1_000_000
    assert time_from_wire(time_to_wire(seconds)) == seconds


def test_task_survives() -> None:
    """A task comes back as it went."""
    task = sample_task(answer_kind=AnswerKind.TEXT, uses=("half", "third@2"))
    assert task_from_wire(task_to_wire(task)) == task


def test_task_without_ids_and_kind_is_completed() -> None:
    """Examples are numbered and the answer kind is inferred, as the protocol promises."""
    message = task_to_wire(sample_task())
    message.answer_kind = types_pb2.ANSWER_KIND_UNSPECIFIED
    for example in (*message.training, *message.held_out):
        example.id = ""

    task = task_from_wire(message)

    assert task.answer_kind is AnswerKind.NUMBER
    assert [example.id for example in task.training + task.held_out] == ["training-1", "held_out-1"]


def test_long_example_id_is_refused() -> None:
    """The id's bound is the protocol's."""
    message = task_to_wire(sample_task(training=(Example("x" * 201, "1 + 1?", "2"),)))
    with pytest.raises(InvalidInput, match=r"task\.training\[0\]\.id: has 201 characters"):
        task_from_wire(message)


@pytest.mark.parametrize(
    "request_",
    [
        ExecutionRequest("add@2", '{"a":1}', LimitsRequest(1.5, 1000, 2000, 3000), Operation.DESCRIBE, "me", "key"),
        ExecutionRequest(ToolSource("def f(): ...", "f"), tenant="me"),
    ],
    ids=["tool", "source"],
)
def test_request_survives(request_: ExecutionRequest) -> None:
    """A call comes back as it went; the tenant is the server's word."""
    assert request_from_wire(request_to_wire(replace(request_, tenant="forged")), tenant="me") == request_


def test_empty_arguments_mean_an_empty_object() -> None:
    """As the protocol promises."""
    asked = request_from_wire(execution_pb2.ExecuteToolRequest(tool="add"), tenant="me")
    assert asked.arguments_json == "{}"


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, "tool: neither tool nor source is set"),
        ({"tool": "a", "source": types_pb2.ToolSource(code="x", function="f")}, "tool: both tool and source are set"),
        ({"tool": "a" * 201}, "tool: has 201 characters"),
        ({"source": types_pb2.ToolSource(code="", function="f")}, r"source\.code: is empty"),
        ({"source": types_pb2.ToolSource(code="x", function="9")}, r"source\.function: '9' is not a function name"),
        ({"tool": "a", "idempotency_key": "k" * 129}, "idempotency_key: has 129 characters"),
        ({"tool": "a", "operation": 7}, "operation: 7 is not a known value"),
        ({"tool": "a", "limits": types_pb2.Limits(wall_time_s=-1)}, r"limits\.wall_time_s: -1"),
        ({"tool": "a", "limits": types_pb2.Limits(wall_time_s=math.nan)}, r"limits\.wall_time_s: nan"),
        ({"tool": "a", "limits": types_pb2.Limits(wall_time_s=math.inf)}, r"limits\.wall_time_s: inf"),
        ({"tool": "a", "limits": types_pb2.Limits(memory_bytes=-5)}, r"limits\.memory_bytes: -5"),
        ({"tool": "a", "limits": types_pb2.Limits(processes=5)}, r"limits\.processes: cannot be asked for"),
    ],
)
def test_bad_request_is_refused_by_field(message: dict[str, object], problem: str) -> None:
    """Each field that is off is named with its path."""
    with pytest.raises(InvalidInput, match=problem):
        request_from_wire(execution_pb2.ExecuteToolRequest(**message), tenant="me")  # type: ignore[arg-type]


def test_zero_limits_leave_the_ceilings() -> None:
    """0 and absent are the same on the wire."""
    assert limits_request_from_wire(types_pb2.Limits()) == LimitsRequest()


@pytest.mark.parametrize("limits", [LimitsRequest(wall_time_s=0), LimitsRequest(memory_bytes=2**63)])
def test_a_limit_that_the_wire_cannot_say_is_not_sent(limits: LimitsRequest) -> None:
    """0 would mean "as the server has it", and 2^63 does not fit."""
    with pytest.raises(InvalidInput, match=r"limits\."):
        request_to_wire(ExecutionRequest("add", limits=limits))


@pytest.mark.parametrize("field", ["target", "arguments_json", "idempotency_key"])
def test_what_is_to_be_run_is_never_altered(field: str) -> None:
    """A caller's lone surrogate is refused instead of replaced."""
    request = replace(ExecutionRequest("add"), **{field: "a\ud800"})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="lone surrogate"):
        request_to_wire(request)


def test_reply_with_result_and_other_status_is_refused() -> None:
    """A reply that contradicts itself is no reply."""
    message = execution_to_wire(sample_execution())
    message.status = types_pb2.STATUS_TIMEOUT
    with pytest.raises(InvalidInput, match="outcome"):
        execution_from_wire(message)
