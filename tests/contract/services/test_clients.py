"""What both clients promise, over a real socket with stand-ins behind the services."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import toolwright
from toolwright import errors
from toolwright.client import AsyncClient, Client, NotAnswered
from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.events import (
    Answered,
    Called,
    Checked,
    Declined,
    Dispatched,
    Failed,
    Made,
    MakingEvent,
    NotMade,
    Proposed,
    Ran,
    SolveEvent,
)
from toolwright.domain.job import Budget, JobState
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Execution, Failure, Status
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import (
    AlreadyExists,
    CallCancelled,
    ConnectionLost,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    NotReady,
    Overloaded,
    ServerUnavailable,
    ServiceFault,
    ToolwrightError,
)
from toolwright.registry.jobs import Progress
from toolwright.registry.memory import MemoryStore
from toolwright.registry.testing import (
    sample_attempt,
    sample_job,
    sample_making,
    sample_record,
    sample_task,
    sample_version,
)
from toolwright.services.calls import CallScope
from toolwright.services.testing import (
    ScriptedExecutor,
    ScriptedMaker,
    ScriptedSolver,
    endpoint,
    parts,
    sample_execution,
    serving,
)
from toolwright.settings import AnswerMisses, DispatchSettings
from toolwright.solving.misses import MissDesk

if TYPE_CHECKING:
    from tests.contract.services.conftest import Connect

SOURCE = ToolSource("def f():\n    return 1\n", "f")
LEAVES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, ToolwrightError) and not kind.__subclasses__()
]


def fault_of(kind: type[ToolwrightError]) -> ToolwrightError:
    """Return a fault of a class, with parts where it has some."""
    if kind is InvalidInput:
        return InvalidInput("arguments_json.é", "is\nodd", "even")
    if kind is NotFound:
        return NotFound("tool", "zwölf", "see ListTools")
    if kind is Overloaded:
        return Overloaded("all busy; come back", 2.5)
    return kind("was nun zu tun ist: 修正")


@contextmanager
def breaking_server() -> Iterator[str]:
    """A server that takes connections as HTTP/2 wants it, and breaks each once a request has come."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"\0\0\0\4\0\0\0\0\0")  # an empty SETTINGS frame
                    received = b""
                    while b"toolwright.v1" not in received and (more := connection.recv(65536)):
                        received += more

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.join()


def test_call_and_its_end_arrive(connect: Connect) -> None:
    """The request reaches the executor as it was given, the execution comes back as it was."""
    executor = ScriptedExecutor()
    with serving(parts(executor=executor)) as address, connect(address) as client:
        execution = client.execute(
            "add@2",
            {"a": 10**300, "b": [1.5, None, "é"]},
            limits=LimitsRequest(wall_time_s=0.5),
            idempotency_key="key",
            operation=Operation.DESCRIBE,
        )

    assert execution == sample_execution()
    arguments = '{"a":1' + "0" * 300 + ',"b":[1.5,null,"é"]}'
    assert executor.asked == [
        ExecutionRequest(
            "add@2", arguments, LimitsRequest(wall_time_s=0.5), Operation.DESCRIBE, "default", "key", "call"
        )
    ]


def test_source_and_text_of_arguments_arrive(connect: Connect) -> None:
    """Bare source goes byte for byte, and arguments as text stay as they were written."""
    executor = ScriptedExecutor()
    with serving(parts(executor=executor)) as address, connect(address) as client:
        client.execute(SOURCE, arguments_json='{ "a" : 1.0 }')
    assert (executor.asked[0].target, executor.asked[0].arguments_json) == (SOURCE, '{ "a" : 1.0 }')


def test_a_tool_that_fails_is_a_normal_reply(connect: Connect) -> None:
    """Its failure is a value, not an exception."""
    failed = sample_execution(status=Status.TOOL_ERROR, result_json=None, failure=Failure("ValueError", "no", "tb"))
    executor = ScriptedExecutor(lambda request, scope: failed)
    with serving(parts(executor=executor)) as address, connect(address) as client:
        assert client.execute("add") == failed


@pytest.mark.parametrize("kind", LEAVES)
def test_every_fault_keeps_its_class_and_text(connect: Connect, kind: type[ToolwrightError]) -> None:
    """What the server's parts raise is raised at the client, with its parts."""
    fault = fault_of(kind)

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        raise fault

    with (
        serving(parts(executor=ScriptedExecutor(behaviour))) as address,
        connect(address) as client,
        pytest.raises(kind) as caught,
    ):
        client.execute("add")

    assert type(caught.value) is kind
    assert str(fault) in str(caught.value)
    assert caught.value.metadata == fault.metadata
    if isinstance(caught.value, Overloaded):
        assert caught.value.retry_after_s == 2.5


@pytest.mark.case("AP-27")
@pytest.mark.parametrize("kind", [kind for kind in LEAVES if issubclass(kind, ServiceFault)])
def test_ap_27_a_fault_of_the_server_tells_nothing_of_its_machine(
    connect: Connect, caplog: pytest.LogCaptureFixture, kind: type[ToolwrightError]
) -> None:
    """AP-27: each fault of ours gives what its class promises and an id; its own words stand in the log under it."""

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        raise kind("/home/operator/registry.db on host-7 with image sha256:1234")

    with (
        serving(parts(executor=ScriptedExecutor(behaviour)), candid=False) as address,
        connect(address) as client,
        pytest.raises(kind) as caught,
    ):
        client.execute("add")

    text = str(caught.value)
    assert not any(word in text for word in ("operator", "host-7", "sha256"))
    assert text.startswith(" ".join((kind.__doc__ or "").split())[:20])
    logged = [json.loads(record.getMessage()) for record in caplog.records]
    assert [entry["log_id"] for entry in logged] == [text.rpartition(" ")[2].rstrip(".")]
    assert "/home/operator/registry.db on host-7" in logged[0]["text"]


def test_faults_in_streams_keep_their_class(connect: Connect) -> None:
    """A fault after the first events of a stream is typed as well."""

    def events(task: Task) -> Iterator[MakingEvent]:
        yield Proposed(1, "code")
        raise errors.ModelUnavailable("the maker does not answer")

    with (
        serving(parts(maker=ScriptedMaker(events))) as address,
        connect(address) as client,
        pytest.raises(errors.ModelUnavailable, match="the maker does not answer"),
    ):
        client.make(sample_task())


def test_a_bug_of_ours_shows_nothing(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """The client gets a fixed text with an id; the traceback is in the log under that id."""

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        raise RuntimeError("secret of the server")

    with (
        serving(parts(executor=ScriptedExecutor(behaviour))) as address,
        connect(address) as client,
        pytest.raises(ServiceFault) as caught,
    ):
        client.execute("add")

    assert type(caught.value) is ServiceFault
    assert "secret" not in str(caught.value)
    log_id = str(caught.value).rpartition(" ")[2]
    logged = [json.loads(record.getMessage()) for record in caplog.records]
    assert [entry["log_id"] for entry in logged] == [log_id]
    assert "secret of the server" in logged[0]["exception"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"arguments": {"a": math.nan}}, "arguments: "),
        ({"arguments": {"a": math.inf}}, "arguments: "),
        ({"arguments": {"a": {1, 2}}}, "arguments: .*set"),
        ({"arguments": {"a": 10**5000}}, "arguments: "),
        ({"arguments": {"a": "\ud800"}}, "arguments_json: holds a lone surrogate"),
        ({"arguments": ["words"]}, "arguments: is a list"),
        ({"arguments": []}, "arguments: is a list"),
        ({"arguments": {1: "a"}}, "arguments: the key 1 is a int"),
        ({"arguments": {"a": [0, {None: 2}]}}, r"arguments\.a\[1\]: the key None is a NoneType"),
        ({"arguments": {}, "arguments_json": "{}"}, "arguments: is given as well as arguments_json"),
        ({"arguments_json": "x" * (1024 * 1024 + 1)}, "arguments_json: has 1048577 bytes"),
        ({"limits": LimitsRequest(memory_bytes=-1)}, r"limits\.memory_bytes"),
        ({"limits": LimitsRequest(wall_time_s=math.nan)}, r"limits\.wall_time_s"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": math.nan}, "timeout_s"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(connect: Connect, given: dict[str, Any], problem: str) -> None:
    """The field is named, and no server is needed to know."""
    with connect("127.0.0.1:1") as client, pytest.raises(InvalidInput, match=problem):
        client.execute("add", **given)


@pytest.mark.parametrize("question", ["", " \n", "q" * (10 * 1024 * 1024), "\ud800"])
def test_bad_question_is_refused_before_anything_is_sent(connect: Connect, question: str) -> None:
    """A question of 10 MiB, too."""
    with connect("127.0.0.1:1") as client, pytest.raises(InvalidInput, match="question: "):
        client.solve(question)


def test_message_above_the_bound_names_it(connect: Connect) -> None:
    """A task larger than the server takes is refused by gRPC itself; the client's fault says so."""
    task = sample_task(description="d" * 4000, training=tuple(sample_task().training))
    big = ToolSource("# " + "x" * 9000 + "\n" + "y = 1\n" * 15_000, "f")
    with (
        serving(parts(), max_message_bytes=64 * 1024) as address,
        connect(address) as client,
        pytest.raises(InvalidInput, match=r"larger than max.*max_message_bytes"),
    ):
        client.register(task, big)


def test_nobody_there(connect: Connect, tmp_path: Path) -> None:
    """No server: a typed fault that says what to do, soon, for each kind of address."""
    started = time.monotonic()
    for target in ("127.0.0.1:1", f"unix:{tmp_path}/none.sock"):
        with connect(target, connect_timeout_s=0.3) as client:
            assert not client.healthy()
            with pytest.raises(ServerUnavailable, match="toolwright serve"):
                client.execute("add")
            with pytest.raises(ServerUnavailable):
                client.solve("What?")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("target", ["nowhere.invalid:1", "foo://bar"])
def test_an_address_that_is_none(connect: Connect, target: str) -> None:
    """A name that leads nowhere is a server that is not there: nothing was sent."""
    with connect(target, connect_timeout_s=0) as client, pytest.raises(ServerUnavailable):
        client.execute("add")


def test_a_connection_that_breaks_in_a_call_leaves_open_whether_it_ran(connect: Connect) -> None:
    """Once something was sent, the text never says that nothing ran; for streams too."""
    with breaking_server() as target, connect(target, timeout_s=10) as client:
        with pytest.raises(ConnectionLost, match=r"may have run.*idempotency_key") as caught:
            client.execute("add")
        with pytest.raises(ConnectionLost):
            client.solve("What?")
    assert caught.value.reason == "CONNECTION_LOST"


def test_a_closed_client_says_so(connect: Connect) -> None:
    """Using a client after its end is a fault of ours by class, whichever method it is."""
    with serving(parts()) as address, connect(address) as client:
        client.close()
        for use in (lambda: client.execute("add"), lambda: client.solve("What?"), client.list_tools, client.healthy):
            with pytest.raises(NotReady, match="this client is closed"):
                use()


def test_server_that_comes_up_late_is_found(connect: Connect, tmp_path: Path) -> None:
    """A connection that was not made is tried again for a while: nothing was sent, so nothing runs twice."""
    executor = ScriptedExecutor()
    address = f"unix:{tmp_path}/late.sock"
    finished = threading.Event()

    def later() -> None:
        time.sleep(0.5)
        with serving(parts(executor=executor), address=address):
            assert finished.wait(20)

    server = threading.Thread(target=later)
    server.start()
    try:
        with connect(address, connect_timeout_s=10) as client:
            assert client.execute("add") == sample_execution()
    finally:
        finished.set()
        server.join()
    assert len(executor.asked) == 1


def test_unavailable_from_the_server_is_not_retried(connect: Connect) -> None:
    """Only the connection is tried again: whether a call ran is for its caller to think about."""

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        raise errors.SandboxUnavailable("failed to connect to all addresses: hostile text")

    executor = ScriptedExecutor(behaviour)
    with (
        serving(parts(executor=executor)) as address,
        connect(address) as client,
        pytest.raises(errors.SandboxUnavailable),
    ):
        client.execute("add")
    assert len(executor.asked) == 1


def test_deadline_reaches_the_executor_and_ends_the_call(connect: Connect) -> None:
    """The executor knows how long the caller waits; when that is over the call is cancelled."""
    cancelled = threading.Event()

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        scope.cancellation.on_cancel(cancelled.set)
        assert cancelled.wait(10)
        raise CallCancelled("killed")

    executor = ScriptedExecutor(behaviour)
    with serving(parts(executor=executor)) as address, connect(address) as client:
        with pytest.raises(DeadlineExceeded, match=r"within 0\.5 s \(timeout_s\): .*killed"):
            client.execute("add", timeout_s=0.5)
        assert cancelled.wait(5)
    deadline = executor.scopes[0].deadline_s
    assert deadline is not None
    assert 0 < deadline < 0.6  # gRPC rounds it up on the way


def test_a_client_that_goes_away_cancels_its_call(connect: Connect) -> None:
    """Closing the connection kills the call."""
    running, cancelled = threading.Event(), threading.Event()

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        scope.cancellation.on_cancel(cancelled.set)
        running.set()
        assert cancelled.wait(10)
        raise CallCancelled("killed")

    with serving(parts(executor=ScriptedExecutor(behaviour))) as address:
        faults: list[ToolwrightError] = []

        def call(client: Any) -> None:
            try:
                client.execute("add")
            except ToolwrightError as fault:
                faults.append(fault)

        with connect(address) as client:
            caller = threading.Thread(target=call, args=(client,))
            caller.start()
            assert running.wait(5)
        caller.join(5)
        assert cancelled.wait(5)
    assert [type(fault) for fault in faults] == [CallCancelled]


def test_a_call_that_is_over_is_not_cancelled(connect: Connect) -> None:
    """The end of the connection after a call must not strike whoever has its sandbox now."""
    executor = ScriptedExecutor()
    with serving(parts(executor=executor)) as address:
        with connect(address) as client:
            client.execute("add")
            client.execute("add")
        time.sleep(0.1)
    assert not any(scope.cancellation.cancelled for scope in executor.scopes)


def test_making_is_streamed(connect: Connect) -> None:
    """Task and attempts arrive, events come back in order."""
    made = Made(RegisteredTool(sample_version(), 1, ToolState.ACTIVE, "v-1", 1.5).info, 1, ())
    events: list[MakingEvent] = [Proposed(1, "c"), Checked(1, "h1", held_out=True, passed=True, status=Status.SUCCESS)]
    maker = ScriptedMaker(lambda task: iter([*events, made]))
    with serving(parts(maker=maker)) as address, connect(address) as client:
        assert client.make(sample_task(), attempts=3) == [*events, made]
        assert client.make(sample_task())[-1] == made
    assert maker.asked == [(sample_task(), 3), (sample_task(), 0)]


def test_a_budget_arrives(connect: Connect) -> None:
    """Each bound as it was given; none is the server's."""
    maker = ScriptedMaker(lambda task: iter([NotMade("enough", 0, (), "tokens")]))
    budget = Budget(2, 2**62, 0.25, 1.5)
    with serving(parts(maker=maker)) as address, connect(address) as client:
        client.make(sample_task(), budget=budget, candidates=3)
        client.make(sample_task())
        with pytest.raises(InvalidInput, match="max_tokens"):
            client.make(sample_task(), budget=Budget(tokens=2**63))
    assert maker.wished == [(budget, 3), (Budget(), 0)]
    assert maker.asked[0] == (sample_task(), 2)


def test_makings_are_listed_shown_followed_and_cancelled(connect: Connect) -> None:
    """Newest first and by the page, each with its attempts; texts of any kind arrive as text."""
    store = MemoryStore()
    maker = ScriptedMaker(lambda task: iter([Proposed(1, task.name)]), store=store)
    for number in range(150):
        job = sample_job(f"m-{number}", task=sample_task(f"task{number}"), budget=Budget(5, 100, 0.5, 60.0))
        store.jobs.open(job, most_queued=1000)
    store.start_making(sample_making("m-0"))
    store.add_attempt(sample_attempt("m-0", verdict="no\x00\ud800"))
    store.jobs.take("one", lease_s=60, making_id="m-0")
    store.jobs.note("m-0", "one", Progress(1, (), 2.5, "at it"))
    with serving(parts(store=store, maker=maker)) as address, connect(address) as client:
        listed = client.list_makings()
        assert [making.making_id for making in listed] == [f"m-{number}" for number in reversed(range(150))]
        assert [making.making_id for making in client.list_makings(task="task7")] == ["m-7"]
        info, attempts = client.get_making("m-0").info, client.get_making("m-0").attempts
        assert (info.state, info.owner, info.progress, info.starts) == (JobState.RUNNING, "one", "at it", 1)
        assert (info.budget, info.spent) == (Budget(5, 100, 0.5, 60.0), Budget(1, 0, 0.0, 2.5))
        assert [attempt.verdict for attempt in attempts] == ["no\x00\ufffd"]
        assert client.follow_making("m-3") == [Proposed(1, "task3")]
        assert client.cancel_making("m-0", reason="enough").cancel_requested
        assert client.cancel_making("m-1", reason="enough").state is JobState.CANCELLED
        assert len(client.list_makings(open_only=True)) == 149
        for call in (client.get_making, client.follow_making, client.cancel_making):
            with pytest.raises(NotFound):
                call("none")


def test_attempts_are_bounded(connect: Connect) -> None:
    """The bound is the server's, and it is named."""
    with (
        serving(parts()) as address,
        connect(address) as client,
        pytest.raises(InvalidInput, match=r"attempts: 11 .*1 to 10"),
    ):
        client.make(sample_task(), attempts=11)


def test_registering(connect: Connect) -> None:
    """Task and source arrive, the tool comes back; a failed check is a fault with its text."""
    tool = RegisteredTool(sample_version(), 1, ToolState.ACTIVE, "v-1", 1.5)

    def registered(task: Task, source: ToolSource) -> RegisteredTool:
        if task.name != "add":
            raise NotReady("example 'h1': expected 4")
        assert (task, source) == (sample_task(), SOURCE)
        return tool

    with serving(parts(maker=ScriptedMaker(registered=registered))) as address, connect(address) as client:
        assert client.register(sample_task(), SOURCE) == tool.info
        with pytest.raises(NotReady, match="example 'h1': expected 4"):
            client.register(sample_task("other"), SOURCE)


def test_tools_are_shown(connect: Connect) -> None:
    """A version comes with its source and record; lists go on over pages; what is not there is NotFound."""
    store = MemoryStore(clock=lambda: 1.5)
    names = [f"tool{number:04}" for number in range(230)]
    for name in names:
        version = sample_version(name)
        store.admit(version, sample_record(version, f"v-{name}"), sample_task(name))
    with serving(parts(store=store)) as address, connect(address) as client:
        listed = client.list_tools()
        details = client.get_tool("tool0007@1")
        with pytest.raises(NotFound, match="tool9"):
            client.get_tool("tool9")
        with pytest.raises(InvalidInput):
            client.get_tool("No Such Form@")
        with pytest.raises(InvalidInput, match="reference: is empty"):
            client.get_tool("")

    assert [tool.name for tool in listed] == names
    assert listed[7] == details.info
    assert details.source == sample_version().source
    assert details.verification == sample_record(sample_version("tool0007"), "v-tool0007")


def test_searching(connect: Connect) -> None:
    """What shares a word with the text comes back, best first."""
    store = MemoryStore(clock=lambda: 1.5)
    for name in ("sort_words", "close_brackets", "find_slot"):
        version = sample_version(name)
        store.admit(version, sample_record(version, f"v-{name}"), sample_task(name))
    with serving(parts(store=store)) as address, connect(address) as client:
        assert [tool.name for tool in client.search_tools("Which brackets close?", limit=1)] == ["close_brackets"]
        with pytest.raises(InvalidInput, match="limit"):
            client.search_tools("x", limit=101)


def test_misses_are_shown_and_answered(connect: Connect) -> None:
    """Groups and questions go on over pages; an answer comes back with its group, or it is said why none is taken."""
    store = MemoryStore()
    desk = MissDesk(store.misses, DispatchSettings(answer_misses=AnswerMisses.PERSON))
    for number in range(130):
        desk.note(f"What is {number} plus \0?")
    with serving(parts(store=store, desk=desk)) as address, connect(address) as client:
        (group,) = client.miss_groups()
        found, misses = client.misses(group.group_id)
        assert (found.misses, len(misses)) == (130, 130)
        miss, after = client.answer_miss(misses[7].miss_id, "7", actor="Ada")
        assert (miss.question, miss.answer, miss.answered_by, after.answered) == (misses[7].question, "7", "Ada", 1)
        with pytest.raises(NotFound):
            client.misses("nothing")
        with pytest.raises(InvalidInput):
            client.misses("")
        with pytest.raises(InvalidInput, match="answer"):
            client.answer_miss(misses[0].miss_id, " ")
    with (
        serving(parts(store=store)) as address,
        connect(address) as client,
        pytest.raises(NotReady, match="answer_misses"),
    ):
        client.answer_miss(misses[0].miss_id, "1")


def test_the_dispatcher_alone(connect: Connect) -> None:
    """Which tools it is offered arrives, and the decision is the end."""
    solver = ScriptedSolver(lambda question, scope: iter([Dispatched("add@1", "", "fits", 70, "add")]))
    with serving(parts(solver=solver)) as address, connect(address) as client:
        (event,) = client.solve("What?", among=["add", "sub"], dispatch_only=True)
    assert event == Dispatched("add@1", "", "fits", 70, "add")
    assert solver.narrowed == [(("add", "sub"), True)]


def test_solving_is_streamed(connect: Connect) -> None:
    """Question and tool arrive, all kinds of steps come back in order."""
    steps: list[SolveEvent] = [
        Dispatched("", "add", "fits"),
        Proposed(1, "c"),
        Called("add@1", "{}", repair=False),
        Ran(sample_execution()),
        Answered("3", "3", "add@1", "e", ()),
    ]
    solver = ScriptedSolver(lambda question, scope: iter(steps))
    with serving(parts(solver=solver)) as address, connect(address) as client:
        assert client.solve("What is 1 + 2?", tool="add@1") == steps
        assert client.ask("What is 1 + 2?") == steps[-1]
    assert solver.asked == [("What is 1 + 2?", "add@1"), ("What is 1 + 2?", "")]


@pytest.mark.parametrize("end", [Declined("no tool fits", ()), Failed("it timed out", "add@1", Status.TIMEOUT, ())])
def test_a_question_without_an_answer_is_a_typed_fault(connect: Connect, end: Declined | Failed) -> None:
    """`ask` returns an answer or says why there is none."""
    solver = ScriptedSolver(lambda question, scope: iter([end]))
    with (
        serving(parts(solver=solver)) as address,
        connect(address) as client,
        pytest.raises(NotAnswered, match=end.reason) as caught,
    ):
        client.ask("What?")
    assert caught.value.event == end


def test_bare_source_where_it_is_not_allowed(connect: Connect) -> None:
    """Refused before anything runs, with a text that says what to do; registered tools go on working."""
    executor = ScriptedExecutor()
    with serving(parts(executor=executor, source_allowed=False)) as address, connect(address) as client:
        with pytest.raises(NotReady, match="RegisterTool"):
            client.execute(SOURCE)
        client.execute("add")
    assert [request.target for request in executor.asked] == ["add"]


def test_more_calls_than_threads_are_refused_at_once(connect: Connect) -> None:
    """No queue that nobody sees: the call beyond the bound is told to come back."""
    going_on, running = threading.Event(), threading.Semaphore(0)

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        running.release()
        assert going_on.wait(10)
        return sample_execution()

    executor = ScriptedExecutor(behaviour)
    with serving(parts(executor=executor), workers=4) as address, connect(address) as client:
        callers = [threading.Thread(target=client.execute, args=("add",)) for _ in range(4)]
        for caller in callers:
            caller.start()
        for _ in callers:
            assert running.acquire(timeout=5)
        with pytest.raises(Overloaded):
            client.execute("add")
        going_on.set()
        for caller in callers:
            caller.join()
    assert len(executor.asked) == 4


def test_draining_lets_calls_finish_and_takes_no_new_ones(connect: Connect) -> None:
    """At shutdown what runs ends well, and health says NOT_SERVING at once."""
    running, going_on = threading.Event(), threading.Event()

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        running.set()
        assert going_on.wait(10)
        return sample_execution()

    with endpoint(parts(executor=ScriptedExecutor(behaviour))) as (address, served):
        ends: list[Execution] = []
        with connect(address) as client, connect(address, connect_timeout_s=0) as late:
            assert client.healthy()
            assert late.healthy()
            caller = threading.Thread(target=lambda: ends.append(client.execute("add")))
            caller.start()
            assert running.wait(5)
            drain = threading.Thread(target=served.drain, args=(10,))
            drain.start()
            time.sleep(0.2)
            with pytest.raises(ServerUnavailable):
                late.execute("add")
            going_on.set()
            caller.join(5)
            drain.join(5)
            assert not drain.is_alive()
    assert ends == [sample_execution()]


def test_drain_kills_what_does_not_end(connect: Connect) -> None:
    """After the grace a call is cancelled; a drain never waits longer than told."""
    running, cancelled = threading.Event(), threading.Event()

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        scope.cancellation.on_cancel(cancelled.set)
        running.set()
        assert cancelled.wait(10)
        raise CallCancelled("killed")

    with endpoint(parts(executor=ScriptedExecutor(behaviour))) as (address, served), connect(address) as client:

        def call() -> None:
            with pytest.raises((CallCancelled, ConnectionLost)):
                client.execute("add")

        caller = threading.Thread(target=call)
        caller.start()
        assert running.wait(5)
        started = time.monotonic()
        served.drain(0.3)
        assert 0.2 < time.monotonic() - started < 3
        assert cancelled.is_set()
        caller.join(5)


def test_clients_have_the_same_methods() -> None:
    """Same names, same parameters, same defaults; in asyncio an iterable may also be an asynchronous one."""
    names = (
        "execute",
        "execute_batch",
        "make",
        "register",
        "get_tool",
        "list_tools",
        "solve",
        "ask",
        "healthy",
        "close",
    )
    for name in names:
        one = inspect.signature(getattr(Client, name)).parameters
        other = str(list(inspect.signature(getattr(AsyncClient, name)).parameters.items()))
        assert str(list(one.items())) == other.replace(" | AsyncIterable[BatchCall]", "")


def test_everything_a_client_needs_is_exported() -> None:
    """`import toolwright` is enough, and what is promised is there."""
    for name in toolwright.__all__:
        assert getattr(toolwright, name).__name__ == name
    assert set(toolwright.__all__) <= set(dir(toolwright))
    with pytest.raises(AttributeError, match="nonsense"):
        toolwright.nonsense  # noqa: B018 - that it raises is the point


def test_already_exists_is_typed(connect: Connect) -> None:
    """The same content under another name."""

    def registered(task: Task, source: ToolSource) -> RegisteredTool:
        raise AlreadyExists("registered as 'plus'")

    with (
        serving(parts(maker=ScriptedMaker(registered=registered))) as address,
        connect(address) as client,
        pytest.raises(AlreadyExists, match="plus"),
    ):
        client.register(sample_task(), SOURCE)


def test_cancelling_a_task_kills_its_call() -> None:
    """In asyncio a cancelled task stays a cancelled task, and the tool behind it is killed."""
    running, cancelled = threading.Event(), threading.Event()

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        scope.cancellation.on_cancel(cancelled.set)
        running.set()
        assert cancelled.wait(10)
        raise CallCancelled("killed")

    async def scenario(address: str) -> None:
        async with AsyncClient(address) as client:
            task = asyncio.create_task(client.execute("add"))
            await asyncio.to_thread(running.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with serving(parts(executor=ScriptedExecutor(behaviour))) as address:
        asyncio.run(scenario(address))
        assert cancelled.wait(5)
