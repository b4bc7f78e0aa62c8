"""What ExecuteBatch promises through both clients, over a real socket with a stand-in that runs the calls."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import math
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import grpc
import pytest

from toolwright import errors
from toolwright.client import AsyncClient, BatchAnswer, BatchCall, Client
from toolwright.domain.call import ExecutionRequest, Isolation
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Execution, Failure, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import (
    CallCancelled,
    ConnectionLost,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    NotReady,
    Overloaded,
    SandboxUnavailable,
    ServerUnavailable,
    ServiceFault,
    ToolwrightError,
)
from toolwright.services.batch import BatchBounds
from toolwright.services.calls import CallScope
from toolwright.services.testing import ScriptedExecutor, endpoint, parts, sample_execution, serving
from toolwright.v1 import execution_pb2

if TYPE_CHECKING:
    from tests.contract.services.conftest import Connect

SOURCE = ToolSource("def f():\n    return 1\n", "f")
LEAVES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, ToolwrightError) and not kind.__subclasses__() and kind is not Overloaded
]


def calls_of(count: int, tool: str = "add") -> Iterator[BatchCall]:
    """Give calls with the ids 0, 1 and so on."""
    return (BatchCall(str(number), tool, {"n": number}) for number in range(count))


def number_of(request: ExecutionRequest) -> int:
    """Return the argument of a call."""
    number: int = json.loads(request.arguments_json)["n"]
    return number


def result_of(answer: BatchAnswer) -> str | None:
    """Return the result of a call that succeeded."""
    assert answer.execution is not None
    return answer.execution.outcome.result_json


def batch_threads() -> int:
    """Count the threads that serve batches."""
    return sum(thread.name == "batch" for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Whatever happens to a batch, its threads end."""
    yield
    end = time.monotonic() + 5
    while batch_threads() and time.monotonic() < end:
        time.sleep(0.01)
    assert batch_threads() == 0


@dataclass
class Held:
    """A behaviour that holds each call until it is let go, or cancelled."""

    let_go: threading.Event = field(default_factory=threading.Event)
    began: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    cancelled: list[int] = field(default_factory=list)

    def __call__(self, request: ExecutionRequest, scope: CallScope) -> Execution:
        scope.cancellation.on_cancel(self.let_go.set)
        self.began.release()
        assert self.let_go.wait(20)
        if scope.cancellation.cancelled:
            self.cancelled.append(number_of(request))
            raise CallCancelled("killed")
        return sample_execution()

    def wait_for(self, count: int) -> None:
        """Wait until so many calls have begun."""
        for _ in range(count):
            assert self.began.acquire(timeout=5)


# --- answers -----------------------------------------------------------------------------------


def test_each_call_gets_its_own_answer_whatever_the_order(connect: Connect) -> None:
    """The first call ends last; each answer has the id and the result of its call."""
    others_done = threading.Semaphore(0)

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        number = number_of(request)
        if number:
            others_done.release()
        else:
            for _ in range(49):
                assert others_done.acquire(timeout=10)
        return sample_execution(result_json=str(number))

    with serving(parts(executor=ScriptedExecutor(behaviour))) as address, connect(address) as client:
        answers = client.execute_batch(calls_of(50))
    assert answers[-1].request_id == "0"
    assert {answer.request_id: result_of(answer) for answer in answers} == {str(n): str(n) for n in range(50)}
    assert len(answers) == 50


def test_a_call_and_its_end_arrive(connect: Connect) -> None:
    """Each field of a call reaches the executor, and the execution comes back as it was."""
    executor = ScriptedExecutor()
    full = BatchCall("é/1", "add@2", {"a": 10**300}, None, LimitsRequest(wall_time_s=0.5), "key", Isolation.CALL)
    bare = BatchCall("2", SOURCE, arguments_json='{ "a" : 1.0 }')
    with serving(parts(executor=executor)) as address, connect(address) as client:
        answers = [*client.execute_batch([full]), *client.execute_batch([bare])]
    assert answers == [BatchAnswer("é/1", sample_execution()), BatchAnswer("2", sample_execution())]
    assert executor.asked == [
        ExecutionRequest(
            "add@2",
            '{"a":1' + "0" * 300 + "}",
            LimitsRequest(wall_time_s=0.5),
            idempotency_key="key",
            isolation=Isolation.CALL,
        ),
        ExecutionRequest(SOURCE, '{ "a" : 1.0 }'),
    ]


def test_no_calls_are_no_answers(connect: Connect) -> None:
    """An empty batch ends well."""
    with serving(parts()) as address, connect(address) as client:
        assert client.execute_batch([]) == []


def test_a_tool_that_fails_is_a_normal_answer(connect: Connect) -> None:
    """Its failure is a value."""
    failed = sample_execution(status=Status.TOOL_ERROR, result_json=None, failure=Failure("ValueError", "no", "tb"))
    with (
        serving(parts(executor=ScriptedExecutor(lambda request, scope: failed))) as address,
        connect(address) as client,
    ):
        assert client.execute_batch(calls_of(1)) == [BatchAnswer("0", failed)]


# --- partial failure ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LEAVES)
def test_a_fault_is_that_calls_alone_and_keeps_its_class(connect: Connect, kind: type[ToolwrightError]) -> None:
    """The second of three is answered with what a single call would have raised, the others run."""
    parts_of: dict[type[ToolwrightError], tuple[str, ...]] = {
        InvalidInput: ("arguments_json.é", "is odd", "even"),
        NotFound: ("tool", "zwölf", "see ListTools"),
    }
    fault = kind(*parts_of.get(kind, ("what to do: 修正",)))

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        if number_of(request) == 1:
            raise fault
        return sample_execution()

    with serving(parts(executor=ScriptedExecutor(behaviour))) as address, connect(address) as client:
        answers = {answer.request_id: answer for answer in client.execute_batch(calls_of(3))}
    error = answers["1"].error
    assert type(error) is kind
    assert str(fault) in str(error)
    assert error is not None
    assert error.metadata == fault.metadata
    assert answers["0"].execution == answers["2"].execution == sample_execution()


def test_a_bug_of_ours_is_that_calls_alone(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """Its answer has a fixed text with an id; the traceback is in the log under that id."""

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        if number_of(request) == 1:
            raise RuntimeError("secret of the server")
        return sample_execution()

    with serving(parts(executor=ScriptedExecutor(behaviour))) as address, connect(address) as client:
        answers = {answer.request_id: answer for answer in client.execute_batch(calls_of(3))}
    error = answers["1"].error
    assert type(error) is ServiceFault
    assert "secret" not in str(error)
    logged = [json.loads(record.getMessage()) for record in caplog.records]
    assert [entry["log_id"] for entry in logged] == [str(error).rpartition(" ")[2]]
    assert "secret of the server" in logged[0]["exception"]
    assert answers["0"].execution == answers["2"].execution == sample_execution()


@pytest.mark.case("AP-27")
def test_ap_27_a_fault_in_a_batch_tells_nothing_of_the_servers_machine(connect: Connect) -> None:
    """AP-27: one call's fault of ours gives what its class promises and an id, as a single call's does."""

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        raise errors.StoreUnavailable("/home/operator/registry.db on host-7")

    with (
        serving(parts(executor=ScriptedExecutor(behaviour)), candid=False) as address,
        connect(address) as client,
    ):
        (answer,) = client.execute_batch(calls_of(1))
    assert isinstance(answer.error, errors.StoreUnavailable)
    assert "operator" not in str(answer.error)
    assert "under id" in str(answer.error)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (BatchCall("bad", "add", {"a": math.nan}), "arguments"),
        (BatchCall("bad", "add", {"a": "\ud800"}), "arguments_json"),
        (BatchCall("bad", "add", {"a": 1}, "{}"), "arguments"),
        (BatchCall("bad", "", {}), "tool"),
        (BatchCall("bad", "add", limits=LimitsRequest(memory_bytes=-1)), "limits.memory_bytes"),
        (BatchCall("", "add"), "request_id"),
        (BatchCall("x" * 129, "add"), "request_id"),
        (BatchCall("\ud800", "add"), "request_id"),
        (BatchCall(7, "add"), "request_id"),  # type: ignore[arg-type]  # what a program may try
    ],
)
def test_a_call_that_is_off_is_answered_in_its_turn(connect: Connect, call: BatchCall, field: str) -> None:
    """Nothing of it runs, the field is named, and the others go on."""
    executor = ScriptedExecutor()
    with serving(parts(executor=executor)) as address, connect(address) as client:
        answers = client.execute_batch([BatchCall("1", "add"), call, BatchCall("2", "add")])
    refused = [answer for answer in answers if answer.error]
    assert [answer.request_id for answer in refused] == [call.request_id]
    assert isinstance(refused[0].error, InvalidInput)
    assert refused[0].error.field == field
    assert len(answers) == 3
    assert len(executor.asked) == 2


def test_only_calls_that_are_off(connect: Connect) -> None:
    """More of them than may be in flight: each has its answer."""
    bad = [BatchCall("bad", "add", {"a": math.nan})] * 20
    with serving(parts()) as address, connect(address) as client:
        answers = client.execute_batch(bad, in_flight=2)
    assert [type(answer.error) for answer in answers] == [InvalidInput] * 20


def test_an_id_may_come_again_once_it_is_answered(connect: Connect) -> None:
    """In flight it is refused and the first call goes on; afterwards it is free."""
    held = Held()
    executor = ScriptedExecutor(held)

    def twice() -> Iterator[BatchCall]:
        yield BatchCall("a", "add", {"n": 1})
        held.wait_for(1)
        yield BatchCall("a", "add", {"n": 2})
        held.let_go.set()

    with serving(parts(executor=executor)) as address, connect(address) as client:
        answers = client.execute_batch(twice())
        assert sorted(type(answer.error).__name__ for answer in answers) == ["InvalidInput", "NoneType"]
        calls = [BatchCall("a", "add", {"n": 3})] * 3
        assert [answer.error for answer in client.execute_batch(calls, in_flight=1)] == [None] * 3
    assert [number_of(request) for request in executor.asked] == [1, 3, 3, 3]


def test_bare_source_where_it_is_not_allowed(connect: Connect) -> None:
    """Refused call by call; registered tools go on working."""
    executor = ScriptedExecutor()
    with serving(parts(executor=executor, source_allowed=False)) as address, connect(address) as client:
        answers = client.execute_batch([BatchCall("1", SOURCE), BatchCall("2", "add")])
    assert {answer.request_id: type(answer.error) for answer in answers} == {"1": NotReady, "2": type(None)}
    assert [request.target for request in executor.asked] == ["add"]


def test_overload_is_waited_out_and_never_told(connect: Connect) -> None:
    """A call for which there was no place did not run: it is tried again after the time that the server names."""
    turned_away: dict[int, float] = {}
    came_back: list[float] = []

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        number, now = number_of(request), time.monotonic()
        if number % 2 and number not in turned_away:
            turned_away[number] = now
            raise Overloaded("all busy", 0.2)
        if number in turned_away:
            came_back.append(now - turned_away[number])
        return sample_execution()

    with serving(parts(executor=ScriptedExecutor(behaviour))) as address, connect(address) as client:
        answers = client.execute_batch(calls_of(20))
    assert [answer.error for answer in answers] == [None] * 20
    assert len(came_back) == 10
    assert min(came_back) >= 0.2


# --- bounds ------------------------------------------------------------------------------------


def test_calls_are_read_no_further_than_allowed(connect: Connect) -> None:
    """An endless generator is read as answers come, and the server runs no more at a time than it is set to."""
    held = Held()
    executor = ScriptedExecutor(held)
    read = itertools.count()
    drawn: list[int] = []

    def endless() -> Iterator[BatchCall]:
        for number in read:
            drawn.append(number)
            yield BatchCall(str(number), "add", {"n": number})
            if held.let_go.is_set() and number >= 200:
                return

    bounds = BatchBounds(in_flight=3)
    with serving(parts(executor=executor), batch_bounds=bounds) as address, connect(address) as client:
        answers: list[BatchAnswer] = []
        reader = threading.Thread(target=lambda: answers.extend(client.execute_batch(endless(), in_flight=12)))
        reader.start()
        held.wait_for(3)
        time.sleep(0.3)
        assert len(executor.asked) == 3
        assert len(drawn) <= 12
        assert batch_threads() <= 3
        held.let_go.set()
        reader.join(20)
    assert len(answers) == len(drawn) >= 201


def test_a_call_above_the_servers_bound_names_it(connect: Connect) -> None:
    """It is refused by gRPC itself, and the batch with it: the fault says so, and which calls have no answer."""
    calls = [BatchCall("1", "add"), BatchCall("large", "add", {"text": "x" * 100_000})]
    with (
        serving(parts(), max_message_bytes=64 * 1024) as address,
        connect(address) as client,
        pytest.raises(InvalidInput, match=r"larger than max.*max_message_bytes.*'large'") as caught,
    ):
        client.execute_batch(calls, in_flight=1)
    assert caught.value.unanswered == ("large",)


@pytest.mark.parametrize("in_flight", [0, -1, 1025])
def test_in_flight_is_bounded(connect: Connect, in_flight: int) -> None:
    """The bound is named before anything is sent."""
    with connect("127.0.0.1:1") as client, pytest.raises(InvalidInput, match=r"in_flight: .*1 to 1024"):
        client.execute_batch([], in_flight=in_flight)


def test_more_batches_than_allowed_are_refused(connect: Connect) -> None:
    """At once and without running anything; when one ends there is room again."""
    held = Held()
    executor = ScriptedExecutor(held)
    bounds = BatchBounds(max_streams=1)
    with (
        serving(parts(executor=executor), batch_bounds=bounds) as address,
        connect(address) as first,
        connect(address) as second,
    ):
        running = threading.Thread(target=first.execute_batch, args=(calls_of(1),))
        running.start()
        held.wait_for(1)
        with pytest.raises(Overloaded, match="1 batches run already") as caught:
            second.execute_batch(calls_of(3))
        assert caught.value.retry_after_s == 5.0
        held.let_go.set()
        running.join(10)
        assert len(second.execute_batch(calls_of(3))) == 3
    assert len(executor.asked) == 4


def test_others_are_served_while_batches_run(connect: Connect) -> None:
    """Single calls and health checks pass by two batches of endless calls."""

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        time.sleep(0.02)
        return sample_execution()

    ended = threading.Event()

    def endless() -> Iterator[BatchCall]:
        return itertools.takewhile(lambda _: not ended.is_set(), calls_of(10**9))

    with (
        serving(parts(executor=ScriptedExecutor(behaviour)), workers=8) as address,
        connect(address) as one,
        connect(address) as two,
        connect(address) as other,
    ):
        batches = [threading.Thread(target=client.execute_batch, args=(endless(),)) for client in (one, two)]
        for batch in batches:
            batch.start()
        try:
            for _ in range(20):
                assert other.healthy()
                assert other.execute("add", {"n": 1}, timeout_s=5) == sample_execution()
        finally:
            ended.set()
            for batch in batches:
                batch.join(20)


# --- ends --------------------------------------------------------------------------------------


def test_leaving_the_loop_early_kills_what_runs() -> None:
    """The stream is cancelled, and with it each call in flight."""
    held = Held()

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        return sample_execution() if number_of(request) == 0 else held(request, scope)

    bounds = BatchBounds(in_flight=4)
    with (
        serving(parts(executor=ScriptedExecutor(behaviour)), batch_bounds=bounds) as address,
        Client(address) as client,
    ):
        for answer in client.execute_batch(calls_of(10**9)):
            assert answer.request_id == "0"
            held.wait_for(4)
            break
        wait_until(lambda: len(held.cancelled) == 4)
        assert client.healthy()


def test_leaving_the_loop_early_kills_what_runs_in_asyncio() -> None:
    """The same for a task that is cancelled; the endless calls are asynchronous, and are closed."""
    held = Held()
    closed = threading.Event()

    async def endless() -> AsyncIterator[BatchCall]:
        try:
            for call in calls_of(10**9):
                yield call
                await asyncio.sleep(0)
        finally:
            closed.set()

    async def scenario(address: str) -> None:
        async with AsyncClient(address) as client:

            async def read() -> None:
                async for _ in client.execute_batch(endless()):
                    pass

            task = asyncio.create_task(read())
            await asyncio.to_thread(held.wait_for, 4)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    bounds = BatchBounds(in_flight=4)
    with serving(parts(executor=ScriptedExecutor(held)), batch_bounds=bounds) as address:
        asyncio.run(scenario(address))
        wait_until(lambda: len(held.cancelled) == 4)
    assert closed.is_set()


def test_asynchronous_calls_are_taken() -> None:
    """By `AsyncClient`, as they come."""

    async def given() -> AsyncIterator[BatchCall]:
        for call in calls_of(40):
            await asyncio.sleep(0)
            yield call

    async def scenario(address: str) -> list[str]:
        async with AsyncClient(address) as client:
            return [answer.request_id async for answer in client.execute_batch(given(), in_flight=5)]

    with serving(parts()) as address:
        assert sorted(map(int, asyncio.run(scenario(address)))) == list(range(40))


def test_the_deadline_kills_what_runs(connect: Connect) -> None:
    """Each call knows when it is; the fault names the calls that have no answer."""
    held = Held()
    executor = ScriptedExecutor(held)
    with serving(parts(executor=executor)) as address, connect(address) as client:
        with pytest.raises(DeadlineExceeded, match=r"within 0\.5 s \(timeout_s\).*'0', '1'") as caught:
            client.execute_batch(calls_of(2), timeout_s=0.5)
        wait_until(lambda: len(held.cancelled) == 2)
    assert caught.value.unanswered == ("0", "1")
    assert all(scope.deadline_s is not None and 0 < scope.deadline_s < 0.6 for scope in executor.scopes)


def test_overload_is_waited_out_until_the_deadline_only(connect: Connect) -> None:
    """Then the batch ends as any call whose time is over."""

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        raise Overloaded("all busy", 0.1)

    with serving(parts(executor=ScriptedExecutor(behaviour))) as address, connect(address) as client:
        with pytest.raises(DeadlineExceeded) as caught:
            # The server may be the first to notice, and then answers the call.
            raise client.execute_batch(calls_of(1), timeout_s=1)[0].error or AssertionError
        assert caught.value.unanswered in {("0",), ()}


def test_a_client_that_is_closed_kills_its_batch(connect: Connect) -> None:
    """Its caller is told so."""
    held = Held()
    faults: list[ToolwrightError] = []

    def read(client: Any) -> None:
        try:
            client.execute_batch(calls_of(3))
        except ToolwrightError as fault:
            faults.append(fault)

    with serving(parts(executor=ScriptedExecutor(held))) as address:
        with connect(address) as client:
            reader = threading.Thread(target=read, args=(client,))
            reader.start()
            held.wait_for(3)
        reader.join(5)
        wait_until(lambda: len(held.cancelled) == 3)
    assert [type(fault) for fault in faults] == [CallCancelled]
    assert sorted(faults[0].unanswered) == ["0", "1", "2"]


def test_an_answer_to_no_call_ends_the_batch(connect: Connect) -> None:
    """It is a server's bug: the fault names the id, and the calls that have no answer."""

    def answer(
        requests: Iterator[execution_pb2.ExecuteBatchRequest], context: grpc.ServicerContext
    ) -> Iterator[execution_pb2.ExecuteBatchResponse]:
        next(requests)
        yield execution_pb2.ExecuteBatchResponse(request_id="odd")

    method = grpc.stream_stream_rpc_method_handler(
        answer,
        request_deserializer=execution_pb2.ExecuteBatchRequest.FromString,
        response_serializer=execution_pb2.ExecuteBatchResponse.SerializeToString,
    )
    service = grpc.method_handlers_generic_handler("toolwright.v1.ExecutionService", {"ExecuteBatch": method})
    server = grpc.server(ThreadPoolExecutor(2), handlers=[service])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with connect(f"127.0.0.1:{port}") as client, pytest.raises(ServiceFault, match=r"not made, 'odd'") as caught:
            client.execute_batch(calls_of(1))
    finally:
        server.stop(0).wait(5)
    assert caught.value.unanswered == ("0",)


def test_a_closed_client_says_so(connect: Connect) -> None:
    """Before anything is sent."""
    with serving(parts()) as address, connect(address) as client:
        client.close()
        with pytest.raises(NotReady, match="this client is closed"):
            client.execute_batch(calls_of(1))


def test_what_the_calls_raise_comes_after_the_answers(connect: Connect) -> None:
    """What was sent before is answered, then the caller's own exception is raised."""

    def given() -> Iterator[BatchCall]:
        yield from calls_of(5)
        raise LookupError("my own")

    executor = ScriptedExecutor()
    with (
        serving(parts(executor=executor)) as address,
        connect(address) as client,
        pytest.raises(LookupError, match="my own"),
    ):
        client.execute_batch(given())
    assert len(executor.asked) == 5


@pytest.mark.parametrize("call", ["add", BatchCall("bad", 7)])  # type: ignore[arg-type]  # what a program may try
def test_what_is_no_call_is_told_after_the_answers(connect: Connect, call: object) -> None:
    """A program's own slip neither kills the calls before it nor hides behind a fault of the connection."""

    def given() -> Iterator[Any]:
        yield from calls_of(3)
        held.wait_for(3)
        yield call
        raise AssertionError("it was read on")

    held = Held()
    executor = ScriptedExecutor(held)
    with serving(parts(executor=executor)) as address, connect(address) as client:
        threading.Timer(0.3, held.let_go.set).start()
        with pytest.raises(AttributeError):
            client.execute_batch(given())
    assert len(executor.asked) == 3
    assert held.cancelled == []


def test_nobody_there(connect: Connect) -> None:
    """No server: nothing is read of the calls."""
    calls = calls_of(3)
    with connect("127.0.0.1:1", connect_timeout_s=0.2) as client, pytest.raises(ServerUnavailable):
        client.execute_batch(calls)
    assert len(list(calls)) == 3


class CuttableWay:
    """A way to a server that can be cut."""

    def __init__(self, target: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._target = target.rpartition(":")
        self._ends: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """Cut it, for good."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        for thread in self._threads:
            thread.join(5)
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((self._target[0], int(self._target[2])))
                self._ends += (near, far)
                for pair in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=_carry, args=pair))
                    self._threads[-1].start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_breaks_names_what_is_open(connect: Connect) -> None:
    """Answered calls are not named; the others may have run, and no call is sent again. The server kills them."""
    held = Held()
    executor = ScriptedExecutor(lambda r, s: sample_execution() if number_of(r) < 3 else held(r, s))
    with serving(parts(executor=executor), address="127.0.0.1:0") as target, CuttableWay(target) as way:
        with connect(way.address) as client:
            faults: list[ConnectionLost] = []

            def read() -> None:
                with pytest.raises(ConnectionLost, match="may have run") as caught:
                    client.execute_batch(calls_of(6))
                faults.append(caught.value)

            reader = threading.Thread(target=read)
            reader.start()
            held.wait_for(3)
            time.sleep(0.2)
            way.cut()
            reader.join(20)
        wait_until(lambda: len(held.cancelled) == 3)
    assert sorted(faults[0].unanswered) == ["3", "4", "5"]
    assert len(executor.asked) == 6


# --- drain -------------------------------------------------------------------------------------


def test_draining_answers_what_was_taken_and_runs_no_more(connect: Connect) -> None:
    """An endless batch ends at once after its calls in flight; it says which calls did not run."""
    held = Held()
    executor = ScriptedExecutor(held)
    answers: list[BatchAnswer] = []
    faults: list[SandboxUnavailable] = []

    def read() -> None:
        with pytest.raises(SandboxUnavailable, match="without an answer did not run") as caught:
            answers.extend(client.execute_batch(recorded()))
        faults.append(caught.value)

    def recorded() -> Iterator[BatchCall]:
        for call in calls_of(10**9):
            drawn.append(call.request_id)
            yield call

    drawn: list[str] = []
    bounds = BatchBounds(in_flight=3)
    given = endpoint(parts(executor=executor), batch_bounds=bounds, candid=False)
    with given as (address, served), connect(address) as client:
        reader = threading.Thread(target=read)
        reader.start()
        held.wait_for(3)
        drain = threading.Thread(target=served.drain, args=(10,))
        started = time.monotonic()
        drain.start()
        time.sleep(0.3)
        assert drain.is_alive()
        held.let_go.set()
        drain.join(5)
        reader.join(5)
        assert time.monotonic() - started < 4
    ran = {str(number_of(request)) for request in executor.asked}
    assert len(ran) == 3
    assert set(faults[0].unanswered).isdisjoint(ran)
    assert set(faults[0].unanswered) < set(drawn)


def test_drain_kills_what_does_not_end() -> None:
    """After the grace each call in flight is killed and answered so, and the batch ends with UNAVAILABLE."""
    held = Held()
    seen: list[BatchAnswer] = []

    def read() -> None:
        with pytest.raises(SandboxUnavailable):
            seen.extend(client.execute_batch(calls_of(10**9)))

    given = endpoint(parts(executor=ScriptedExecutor(held)), batch_bounds=BatchBounds(in_flight=2))
    with given as (address, served), Client(address) as client:
        reader = threading.Thread(target=read)
        reader.start()
        held.wait_for(2)
        started = time.monotonic()
        served.drain(0.3)
        assert 0.2 < time.monotonic() - started < 3
        reader.join(5)
    assert sorted(held.cancelled) == [0, 1]
    assert [type(answer.error) for answer in seen] == [CallCancelled] * 2


def test_draining_does_not_wait_out_an_overload() -> None:
    """A call that waits for its place is told that it did not run; a batch of which nothing is left ends well."""
    asked, ended = threading.Event(), threading.Event()

    def behaviour(request: ExecutionRequest, scope: CallScope) -> Execution:
        asked.set()
        raise Overloaded("all busy", 60)

    seen: list[BatchAnswer] = []

    def read() -> None:
        seen.extend(client.execute_batch(calls_of(1)))
        ended.set()

    with endpoint(parts(executor=ScriptedExecutor(behaviour))) as (address, served), Client(address) as client:
        reader = threading.Thread(target=read)
        reader.start()
        assert asked.wait(5)
        time.sleep(0.2)  # until the client's half-close has come
        started = time.monotonic()
        served.drain(10)
        assert time.monotonic() - started < 3
        reader.join(5)
    assert ended.is_set()
    assert [type(answer.error) for answer in seen] == [SandboxUnavailable]


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for what happens soon."""
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    assert true()
