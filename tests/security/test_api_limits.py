"""AP: requests off the rules, at their edges, too late and too many. Over TCP, against a server of its own process."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any, Final

import grpc
import pytest
from sqlalchemy import create_engine, text

from tests.security.kit.raw_http2 import raw_caller
from tests.security.kit.server_process import ServerProcess, serving, wait_until
from toolwright.attacks.observer import Observer
from toolwright.client import Client
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import (
    DeadlineExceeded,
    InvalidInput,
    ModelUnavailable,
    NotFound,
    NotReady,
    Overloaded,
    RecordLost,
    ServiceFault,
    StoreCorrupt,
    StoreUnavailable,
)
from toolwright.registry.testing import sample_task, sample_version, signed_record
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.services.status import from_status
from toolwright.v1 import execution_pb2, execution_pb2_grpc, types_pb2

pytestmark = [pytest.mark.security, pytest.mark.threat("T-API-01", "T-DOS-05")]

_SLEEP: Final = "import os, time\ndef f(seconds: float):\n    time.sleep(seconds)\n    return os.getuid()\n"
"""Each call in a container has the next user id, so consecutive ones prove that no other call ran between."""
_PATH: Final = "/toolwright.v1.ExecutionService/ExecuteTool"
_CEILINGS: Final = Limits()
_PLACES: Final = 8
_WORKERS: Final = 128
"""Threads for calls: once started they stay."""
_QUEUE: Final = _PLACES - 1
"""Calls that may wait: with the one container, so many are taken at a time."""


@pytest.fixture(scope="module")
def server(engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with one container and a short queue; of `add` only version 1 is active."""
    state = tmp_path_factory.mktemp("state") / "server"
    settings = {
        "SANDBOX__POOL__MAX_CONTAINERS": "1",
        "SANDBOX__POOL__MAX_QUEUE": str(_QUEUE),
        "SANDBOX__IMAGE": policy.image_id,
    }
    with serving(engine, state, **settings) as running:
        with running.store() as store:
            for number, name in enumerate(("active", "draft", "quarantined", "retired"), start=1):
                version = sample_version(code=f"# {name}\ndef add(a: int, b: int) -> int:\n    return a + b\n")
                record = signed_record(running.signer, policy.image_id, version, f"v-{number}")
                store.admit(version, record, sample_task())
        _set_states(running, {2: "draft", 3: "quarantined", 4: "retired"})
        yield running


@pytest.fixture(scope="module")
def strict(engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that runs no bare source. Its tool `add` takes its time; its models are at an address of nobody's."""
    settings = {
        "SANDBOX__IMAGE": policy.image_id,
        "ALLOW_SOURCE": "false",
        "MODELS__OFFLINE": "false",
        "MODELS__DEFAULT__BASE_URL": "http://127.0.0.1:9/secret-path/v1",
        "MODELS__DEFAULT__MODEL": "secret-model",
        "MODELS__DEFAULT__MAX_RETRIES": "0",
    }
    state = tmp_path_factory.mktemp("secret-directory") / "server"
    with serving(engine, state, **settings) as running:
        with running.store() as store:
            code = "import time\ndef add(a: int, b: int) -> int:\n    time.sleep(a)\n    return a + b\n"
            version = sample_version(code=code)
            store.admit(version, signed_record(running.signer, policy.image_id, version), sample_task())
        yield running


def _set_states(server: ServerProcess, states: Mapping[int, str]) -> None:
    """Take versions of `add` out of use, as an operator does who has found a fault in them."""
    database = create_engine(f"sqlite:///{server.state_dir / 'registry.db'}")
    with database.begin() as connection:
        for number, state in states.items():
            connection.execute(
                text("UPDATE tool_versions SET state = :state WHERE name = 'add' AND number = :number"),
                {"state": state, "number": number},
            )
    database.dispose()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """A client; after each test the server is as healthy as before, and its one container free again."""
    with server.client() as one:
        _sleep(one, 0)
        fds, threads = server.use()
        yield one
        assert one.healthy(timeout_s=1.0)
        _sleep(one, 0, timeout_s=5.0)

        def settled() -> bool:
            now = server.use()
            return now[0] <= fds + 8 and now[1] <= max(threads + 16, _WORKERS + 64)

        wait_until(settled, 3.0, "descriptors and threads of the server back to what they were")
        assert len(server.containers()) <= 1


@pytest.fixture
def stub(server: ServerProcess) -> Iterator[Any]:
    """Sends messages as they are."""
    with grpc.insecure_channel(server.address) as channel:
        yield execution_pb2_grpc.ExecutionServiceStub(channel)


@pytest.fixture
def nothing_ran(server: ServerProcess, client: Client) -> Iterator[None]:
    """Asserts that no call was put on record in the test, and that the container's next user id was not used."""
    before, recorded = _uid(_sleep(client, 0)), server.executions()
    yield
    assert server.executions() == recorded
    assert _uid(_sleep(client, 0)) == before + 1


def _sleep(client: Client, seconds: float, **keywords: Any) -> Execution:
    return client.execute(ToolSource(_SLEEP, "f"), {"seconds": seconds}, **keywords)


def _uid(execution: Execution) -> int:
    return int(json.loads(execution.outcome.result_json or "null"))


def _request(seconds: float = 0.0, **fields: Any) -> execution_pb2.ExecuteToolRequest:
    source = types_pb2.ToolSource(code=_SLEEP, function="f")
    return execution_pb2.ExecuteToolRequest(source=source, arguments_json=json.dumps({"seconds": seconds}), **fields)


def _code(call: Callable[[], object]) -> grpc.StatusCode:
    """Return the status of a call, `OK` included."""
    try:
        call()
    except grpc.RpcError as fault:
        raised: Any = fault
        return raised.code()  # type: ignore[no-any-return]  # every fault of a call has one
    return grpc.StatusCode.OK


NO_ARGUMENTS: Final = {
    "no JSON": "{'a': 1}",
    "two values": "{} {}",
    "a name twice": '{"a": 1, "a": 2, "b": 3}',
    "a name twice, deep inside": '{"a": {"x": 1, "x": 2}}',
    "NaN": '{"a": NaN, "b": 1}',
    "minus infinity": '{"a": -Infinity, "b": 1}',
    "65 levels": '{"a": ' + "[" * 64 + "]" * 64 + "}",
    "10,000 levels": '{"a": ' + "[" * 10_000 + "]" * 10_000 + "}",
    "half of a pair": '{"a": "\\ud800", "b": 1}',
    "401 digits": '{"a": ' + "9" * 401 + ', "b": 1}',
}


@pytest.mark.case("AP-02")
@pytest.mark.usefixtures("nothing_ran")
@pytest.mark.parametrize("name", NO_ARGUMENTS)
def test_ap_02_arguments_that_are_no_json(stub: Any, name: str) -> None:
    """AP-02: what is no strict JSON object is INVALID_ARGUMENT for a tool and for bare source; no container is used."""
    arguments = NO_ARGUMENTS[name]
    of_tool = execution_pb2.ExecuteToolRequest(tool="add", arguments_json=arguments)
    of_source = _request()
    of_source.arguments_json = arguments

    for request in (of_tool, of_source):
        with pytest.raises(grpc.RpcError) as refused:
            stub.ExecuteTool(request, timeout=5)
        fault = from_status(refused.value)
        assert isinstance(fault, InvalidInput)
        assert fault.field == "arguments_json"


@pytest.mark.case("AP-02")
def test_ap_02_control(client: Client) -> None:
    """AP-02, control: 64 levels and 400 digits are taken, and come back exact."""
    code = "def f(deep, number):\n    return number\n"
    arguments = '{"deep": ' + "[" * 63 + "]" * 63 + ', "number": ' + "9" * 400 + "}"

    assert client.execute(ToolSource(code, "f"), arguments_json=arguments).outcome.result_json == "9" * 400


UNKNOWN: Final = {
    "nothing": ("nonesuch", NotFound),
    "a version that never was": ("add@77", NotFound),
    "a digest of nothing": ("sha256:" + "0" * 64, NotFound),
    "version 0": ("add@0", InvalidInput),
    "another case": ("ADD", InvalidInput),
    "a look-alike": ("аdd", InvalidInput),  # noqa: RUF001 - the first letter is Cyrillic
    "an alias": ("add@stable", NotFound),
    "blanks around it": (" add ", InvalidInput),
}


@pytest.mark.case("AP-03")
@pytest.mark.usefixtures("nothing_ran")
@pytest.mark.parametrize("name", UNKNOWN)
def test_ap_03_unknown_tools(stub: Any, name: str) -> None:
    """AP-03: what is not there is NOT_FOUND; what cannot be any tool's name is INVALID_ARGUMENT, never another tool."""
    reference, kind = UNKNOWN[name]
    with pytest.raises(grpc.RpcError) as refused:
        stub.ExecuteTool(execution_pb2.ExecuteToolRequest(tool=reference, arguments_json='{"a":1,"b":2}'), timeout=5)

    assert type(from_status(refused.value)) is kind


@pytest.mark.case("AP-03")
@pytest.mark.usefixtures("nothing_ran")
def test_ap_03_no_name(stub: Any) -> None:
    """AP-03: the empty name is INVALID_ARGUMENT: a message cannot tell it from none."""
    assert _code(lambda: stub.ExecuteTool(execution_pb2.ExecuteToolRequest(tool=""), timeout=5)) is (
        grpc.StatusCode.INVALID_ARGUMENT
    )


@pytest.mark.case("AP-04")
@pytest.mark.usefixtures("nothing_ran")
@pytest.mark.parametrize(("number", "state"), [(2, "draft"), (3, "quarantined"), (4, "retired")])
def test_ap_04_unverified_and_revoked(server: ServerProcess, client: Client, number: int, state: str) -> None:
    """AP-04: a version that is not active is FAILED_PRECONDITION by number and by digest, and its state is named."""
    with server.store() as store:
        digest = store.get_tool(f"add@{number}").version.digest

    for reference in (f"add@{number}", digest):
        with pytest.raises(NotReady, match=state):
            client.execute(reference, {"a": 1, "b": 2})


@pytest.mark.case("AP-04")
def test_ap_04_control(client: Client) -> None:
    """AP-04, control: by name alone the one active version is found, though newer ones are not."""
    execution = client.execute("add", {"a": 1, "b": 2})

    assert execution.outcome.result_json == "3"
    assert execution.provenance.verification_id == "v-1"


@pytest.mark.case("AP-04")
def test_ap_04_bare_source_where_only_verified_tools_run(strict: ServerProcess) -> None:
    """AP-04: where the policy says so, source that was never verified is FAILED_PRECONDITION; a tool still runs."""
    recorded = strict.executions()
    with strict.client() as client:
        with pytest.raises(NotReady, match="verified tools only"):
            _sleep(client, 0)
        assert strict.executions() == recorded
        assert client.execute("add", {"a": 0, "b": 2}).outcome.result_json == "2"


@pytest.mark.case("AP-05")
def test_ap_05_arguments_and_messages_at_their_caps(client: Client, stub: Any, server: ServerProcess) -> None:
    """AP-05: arguments of 1 MiB run; a byte more: INVALID_ARGUMENT; a message beyond gRPC's cap: RESOURCE_EXHAUSTED."""
    request = execution_pb2.ExecuteToolRequest(
        source=types_pb2.ToolSource(code="def f(text):\n    return len(text)\n", function="f")
    )
    frame = len('{"text":""}')
    recorded = server.executions()

    def code_with(size: int) -> grpc.StatusCode:
        request.arguments_json = '{"text":"' + "x" * (size - frame) + '"}'
        return _code(lambda: stub.ExecuteTool(request, timeout=10))

    assert code_with(1024 * 1024) is grpc.StatusCode.OK
    assert code_with(1024 * 1024 + 1) is grpc.StatusCode.INVALID_ARGUMENT
    assert code_with(5 * 1024 * 1024) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert server.executions() == recorded + 1


TOO_MANY_HEADERS: Final[Mapping[str, Mapping[bytes, bytes]]] = {
    "64 KiB in one": {b"x-big": b"y" * 65_536},
    "1,000 of them": {b"x-%d" % number: b"v" * 10 for number in range(1_000)},
}
FORGED: Final = b'\r\n{"event": "forged", "level": "error"}\r\n'


def _raw(server: ServerProcess, headers: Mapping[bytes, bytes]) -> int | None:
    with raw_caller(server.address) as caller:
        caller.call(_PATH, _request().SerializeToString(), headers)
        return caller.status()


@pytest.mark.case("AP-06")
@pytest.mark.usefixtures("nothing_ran")
@pytest.mark.parametrize("name", TOO_MANY_HEADERS)
def test_ap_06_too_many_headers(server: ServerProcess, name: str) -> None:
    """AP-06: 64 KiB of headers are refused, also from a caller who never agrees to the bound that gRPC announces."""
    assert _raw(server, TOO_MANY_HEADERS[name]) == grpc.StatusCode.INVALID_ARGUMENT.value[0]


@pytest.mark.case("AP-06")
@pytest.mark.usefixtures("nothing_ran")
def test_ap_06_too_many_headers_from_an_honest_caller(stub: Any) -> None:
    """AP-06: 64 KiB of headers from gRPC's own client are RESOURCE_EXHAUSTED."""
    headers = (("x-big", "y" * 65_536),)

    assert _code(lambda: stub.ExecuteTool(_request(), metadata=headers, timeout=5)) is (
        grpc.StatusCode.RESOURCE_EXHAUSTED
    )


@pytest.mark.case("AP-06")
@pytest.mark.usefixtures("nothing_ran")
@pytest.mark.parametrize("headers", [{b"x-evil-bin": b"!\xff!" + FORGED}, {b"X-Upper": FORGED}])
def test_ap_06_headers_that_are_none(server: ServerProcess, headers: Mapping[bytes, bytes]) -> None:
    """AP-06: what is no header by HTTP/2 is refused by gRPC itself, below our code; the log has no line of it."""
    assert _raw(server, headers) == grpc.StatusCode.INTERNAL.value[0]
    assert "forged" not in server.log()


@pytest.mark.case("AP-06")
def test_ap_06_line_ends_in_a_header(server: ServerProcess, client: Client) -> None:
    """AP-06: CR and LF in a value are data that nobody reads: the call runs, and the log has no line of its making."""
    assert _raw(server, {b"x-evil": b"a" + FORGED, b"x-nul": b"a\x00b"}) == 0
    assert "forged" not in server.log()
    assert client.healthy()


@pytest.mark.case("AP-07")
def test_ap_07_no_deadline(stub: Any) -> None:
    """AP-07: without a deadline the server's own ceiling is in force."""
    assert stub.ExecuteTool(_request()).limits.wall_time_s == _CEILINGS.wall_time_s


@pytest.mark.case("AP-07")
@pytest.mark.usefixtures("nothing_ran")
@pytest.mark.parametrize("timeout_s", [0.001, 0.0, -5.0])
def test_ap_07_a_deadline_that_nothing_can_meet(client: Client, stub: Any, timeout_s: float) -> None:
    """AP-07: one millisecond, nothing at all, or past already: DEADLINE_EXCEEDED, and the tool does not run."""
    other = _request()
    other.source.code = "# another tool, whose container has to start first\n" + _SLEEP

    assert _code(lambda: stub.ExecuteTool(other, timeout=timeout_s)) is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.case("AP-07")
@pytest.mark.usefixtures("nothing_ran")
@pytest.mark.parametrize(
    ("timeout", "status"),
    [
        (b"0n", grpc.StatusCode.DEADLINE_EXCEEDED),
        (b"1n", grpc.StatusCode.DEADLINE_EXCEEDED),
        # By gRPC's own parser, below our code.
        (b"-5S", grpc.StatusCode.INTERNAL),
        (b"NaN", grpc.StatusCode.INTERNAL),
    ],
)
def test_ap_07_deadlines_past_on_arrival(server: ServerProcess, timeout: bytes, status: grpc.StatusCode) -> None:
    """AP-07: a deadline that is past when the call arrives, or is none, starts nothing."""
    assert _raw(server, {b"grpc-timeout": timeout}) == status.value[0]


@pytest.mark.case("AP-07")
def test_ap_07_a_deadline_in_ten_years(stub: Any) -> None:
    """AP-07: however long the caller would wait, the call gets no more than the ceiling."""
    assert stub.ExecuteTool(_request(), timeout=10 * 365 * 86_400.0).limits.wall_time_s == _CEILINGS.wall_time_s


@pytest.mark.case("AP-07")
@pytest.mark.usefixtures("nothing_ran")
def test_ap_07_a_negative_limit(stub: Any) -> None:
    """AP-07: a limit below 0 is INVALID_ARGUMENT."""
    request = _request(limits=types_pb2.Limits(wall_time_s=-1.0))

    assert _code(lambda: stub.ExecuteTool(request, timeout=5)) is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.case("AP-08")
def test_ap_08_deadline_in_the_queue(server: ServerProcess, client: Client, stub: Any, observer: Observer) -> None:
    """AP-08: a deadline that passes in the queue is DEADLINE_EXCEEDED; the tool never starts and is not on record."""
    first = _sleep(client, 0)
    recorded = server.executions()
    running = stub.ExecuteTool.future(_request(1.0), timeout=10)
    wait_until(lambda: _calls_in(observer, first.provenance.container_id), 5.0, "the first call runs")

    with pytest.raises(DeadlineExceeded) as late:
        _sleep(client, 0, timeout_s=0.3)

    assert json.loads(running.result().result_json) == _uid(first) + 1
    assert _uid(_sleep(client, 0)) == _uid(first) + 2
    assert server.executions() == recorded + 2
    assert "the tool was killed" not in str(late.value)


def _calls_in(observer: Observer, container: str) -> int:
    return len(observer.processes(container)) - 2


@pytest.mark.case("AP-11")
@pytest.mark.slow
def test_ap_11_connections_reset_in_a_call(server: ServerProcess, client: Client, observer: Observer) -> None:
    """AP-11: 100 connections reset in the middle of a call: each call is killed, nothing leaks, all are on record."""
    _sleep(client, 0)
    recorded = server.executions()
    fds, threads = server.use()

    for _ in range(100):
        with raw_caller(server.address) as caller:
            caller.call(_PATH, _request(60).SerializeToString(), {})
            wait_until(lambda: _running(server, observer), 5.0, "the call runs")
            caller.reset()
        wait_until(lambda: not _running(server, observer), 5.0, "its process dead")

    assert _sleep(client, 0).outcome.status is Status.SUCCESS
    assert server.executions() == recorded + 101
    wait_until(lambda: server.use()[0] <= fds + 8, 5.0, "connections closed")
    assert server.use()[1] <= threads + 16


def _running(server: ServerProcess, observer: Observer) -> int:
    """Return how many processes of calls there are, in whichever container: on a busy machine one may be replaced."""
    found = 0
    for container in server.containers():
        with suppress(OSError, AssertionError):  # it went while it was looked at, and its processes with it
            found += max(0, _calls_in(observer, container))
    return found


_CALLER: Final = """
import sys
from toolwright.client import Client
from toolwright.domain.source import ToolSource
with Client(sys.argv[1]) as client:
    client.execute(ToolSource(sys.argv[2], "f"), {"seconds": 60})
"""


@pytest.mark.case("AP-11")
def test_ap_11_client_killed_in_a_call(server: ServerProcess, client: Client, observer: Observer) -> None:
    """AP-11: when a client's process is killed, its call is."""
    container = _sleep(client, 0).provenance.container_id
    caller = subprocess.Popen([sys.executable, "-c", _CALLER, server.address, _SLEEP])
    try:
        wait_until(lambda: _calls_in(observer, container), 20.0, "the call runs")
    finally:
        os.kill(caller.pid, signal.SIGKILL)
        caller.wait(10)

    assert wait_until(lambda: not _calls_in(observer, container), 5.0, "its process dead") < 1.0
    assert _sleep(client, 0).provenance.container_id == container


@pytest.mark.case("AP-17")
def test_ap_17_one_key_is_one_run(server: ServerProcess, client: Client) -> None:
    """AP-17: one key at once and later is one run with one answer; with other arguments INVALID_ARGUMENT."""
    first, recorded = _uid(_sleep(client, 0)), server.executions()

    with ThreadPoolExecutor(4) as callers:
        ends = list(callers.map(lambda _: _sleep(client, 0.3, idempotency_key="once"), range(4)))
    ends.append(_sleep(client, 0.3, idempotency_key="once"))
    with pytest.raises(InvalidInput) as other:
        _sleep(client, 0.2, idempotency_key="once")

    assert {(end.execution_id, _uid(end)) for end in ends} == {(ends[0].execution_id, first + 1)}
    assert other.value.field == "idempotency_key"
    assert server.executions() == recorded + 1
    assert _uid(_sleep(client, 0)) == first + 2


@pytest.mark.case("AP-18")
def test_ap_18_a_burst_of_ten_times_what_fits(server: ServerProcess, client: Client) -> None:
    """AP-18: of a burst, as many as fit wait and succeed; the rest is refused at once, with the time to come back."""
    _sleep(client, 0)
    recorded, seconds = server.executions(), 0.05
    together = threading.Barrier(10 * _PLACES)

    def one(own: Client) -> tuple[Execution | Overloaded, float]:
        together.wait(20)
        begun = time.monotonic()
        try:
            return _sleep(own, seconds), time.monotonic() - begun
        except Overloaded as refused:
            return refused, time.monotonic() - begun

    with ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(4)]
        callers = stack.enter_context(ThreadPoolExecutor(10 * _PLACES))
        ends = list(callers.map(one, [clients[number % 4] for number in range(10 * _PLACES)]))

    done = [(end, took) for end, took in ends if isinstance(end, Execution)]
    refused = [(end, took) for end, took in ends if isinstance(end, Overloaded)]
    assert {end.outcome.status for end, _ in done} == {Status.SUCCESS}
    assert _PLACES <= len(done) < len(ends)
    assert all(0 < end.retry_after_s <= 30 for end, _ in refused)
    # A place is free every 50 ms and a little: nobody waits for more than a full queue.
    assert max(took for _, took in done) < _PLACES * seconds * 3 + 2.0
    assert server.executions() == recorded + len(done)


_EDGES: Final = {
    "wall_time_s": _CEILINGS.wall_time_s,
    "memory_bytes": _CEILINGS.memory_bytes,
    "output_bytes": _CEILINGS.output_bytes,
    "result_bytes": _CEILINGS.result_bytes,
}


def _limits(name: str, value: float) -> types_pb2.Limits:
    """Return limits with one of them set; the others are the server's."""
    limits = types_pb2.Limits()
    setattr(limits, name, value)
    return limits


@pytest.mark.case("AP-25")
@pytest.mark.parametrize("name", _EDGES)
def test_ap_25_nothing_and_the_ceiling(stub: Any, name: str) -> None:
    """AP-25: 0 and the ceiling itself are the ceiling, which the reply shows; 0 is never "no limit"."""
    for value in (0, _EDGES[name]):
        reply = stub.ExecuteTool(_request(limits=_limits(name, value)), timeout=10)
        assert getattr(reply.limits, name) == _EDGES[name]
        assert reply.status == types_pb2.STATUS_SUCCESS


@pytest.mark.case("AP-25")
@pytest.mark.usefixtures("nothing_ran")
@pytest.mark.parametrize("name", _EDGES)
def test_ap_25_beyond_the_ceiling(stub: Any, name: str) -> None:
    """AP-25: above the ceiling by the least, by far, below 0, not a number: INVALID_ARGUMENT, and no container."""
    if name == "wall_time_s":
        beyond: list[float] = [10.000001, 1e308, float("inf"), float("-inf"), float("nan"), -1e-300]
    else:
        beyond = [int(_EDGES[name]) + 1, 2**63 - 1, -1, -(2**63)]

    codes = [
        _code(lambda: stub.ExecuteTool(_request(limits=_limits(name, value)), timeout=5))  # noqa: B023
        for value in beyond
    ]

    assert codes == [grpc.StatusCode.INVALID_ARGUMENT] * len(beyond)


@pytest.mark.case("AP-25")
@pytest.mark.usefixtures("nothing_ran")
@pytest.mark.parametrize("name", ["processes", "file_bytes", "load_time_s"])
def test_ap_25_what_cannot_be_asked_for(stub: Any, name: str) -> None:
    """AP-25: what the policy alone sets is refused, whatever the value."""
    request = _request(limits=_limits(name, 1))

    assert _code(lambda: stub.ExecuteTool(request, timeout=5)) is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.case("AP-25")
@pytest.mark.parametrize(
    ("limits", "ends"),
    [
        (LimitsRequest(wall_time_s=5e-324), {Status.TIMEOUT}),
        (LimitsRequest(memory_bytes=1), {Status.OUT_OF_MEMORY, Status.TOOL_ERROR, Status.CRASHED, Status.LOAD_ERROR}),
        (LimitsRequest(result_bytes=1), {Status.RESULT_INVALID}),
        (LimitsRequest(output_bytes=1), {Status.SUCCESS}),
    ],
)
def test_ap_25_the_least(client: Client, limits: LimitsRequest, ends: set[Status]) -> None:
    """AP-25: the least that can be asked for is in force, and has a verdict of its own."""
    code = "def f():\n    print('xy')\n    return list(bytearray(300_000_000))[:2] or 12\n"
    quick = "def f():\n    print('xy')\n    return 12\n"
    source = ToolSource(code if limits.memory_bytes else quick, "f")

    execution = client.execute(source, limits=limits)

    assert execution.outcome.status in ends
    assert len(execution.outcome.stdout.kept) <= execution.limits.output_bytes
    for name in ("wall_time_s", "memory_bytes", "result_bytes", "output_bytes"):
        if (asked := getattr(limits, name)) is not None:
            assert getattr(execution.limits, name) == asked


@pytest.mark.case("AP-30")
def test_ap_30_fields_of_a_newer_client(server: ServerProcess) -> None:
    """AP-30: fields that this server does not know are passed over, at every level, and the call runs."""
    unknown = b"\xfa\x3e\x05newer\xf0\x3e\x01"  # field 1007, a text, and 1006, a number
    source = _request().source.SerializeToString() + unknown
    message = b"\x2a" + _varint(len(source)) + source + b'\x12\x0e{"seconds": 0}' + unknown

    with grpc.insecure_channel(server.address) as channel:
        send: Any = channel.unary_unary(_PATH)
        raw: bytes = send(message, timeout=5)

    assert execution_pb2.ExecuteToolResponse.FromString(raw).status == types_pb2.STATUS_SUCCESS


@pytest.mark.case("AP-30")
@pytest.mark.usefixtures("nothing_ran")
@pytest.mark.parametrize("number", [3, 99, 2**31 - 1, -1])
def test_ap_30_enum_numbers_of_another_version(stub: Any, number: int) -> None:
    """AP-30: an enum number that is not known is INVALID_ARGUMENT with the field, never taken for another value."""
    request = _request()
    request.MergeFromString(b"\x30" + _varint(number))

    with pytest.raises(grpc.RpcError) as refused:
        stub.ExecuteTool(request, timeout=5)

    fault = from_status(refused.value)
    assert isinstance(fault, InvalidInput)
    assert fault.field == "operation"


def _varint(number: int) -> bytes:
    left, encoded = number & (2**64 - 1), bytearray()
    while left > 0x7F:
        encoded.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes((*encoded, left))


@contextmanager
def _newer(reply: execution_pb2.ExecuteToolResponse) -> Iterator[Client]:
    """Serve ExecuteTool as a server of a later version might, which answers `reply`."""
    handler: Any = grpc.unary_unary_rpc_method_handler(lambda _request, _context: reply.SerializeToString())
    served = grpc.server(ThreadPoolExecutor(2))
    served.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(_PATH.split("/")[1], {"ExecuteTool": handler})]
    )
    port = served.add_insecure_port("127.0.0.1:0")
    served.start()
    try:
        with Client(f"127.0.0.1:{port}", timeout_s=5) as client:
            yield client
    finally:
        served.stop(0).wait()


@pytest.mark.case("AP-30")
def test_ap_30_replies_of_a_newer_server() -> None:
    """AP-30: our client passes over fields that it does not know, and says so where a verdict is one: no guess."""
    known = execution_pb2.ExecuteToolResponse(status=types_pb2.STATUS_SUCCESS, result_json="1")
    known.MergeFromString(b"\xfa\x3e\x05newer")
    unknown = execution_pb2.ExecuteToolResponse(result_json="1")
    unknown.MergeFromString(b"\x10\x63")  # status 99

    with _newer(known) as client:
        assert client.execute("add", {}).outcome.result_json == "1"
    with _newer(unknown) as client, pytest.raises(ServiceFault, match="use the same version"):
        client.execute("add", {})


@pytest.mark.case("AP-27")
@pytest.mark.slow
def test_ap_27_what_a_fault_tells(strict: ServerProcess, policy: SandboxPolicy) -> None:
    """AP-27: faults of ours reach callers as a general text and an id; path, address and cause are in the log alone."""
    with strict.client() as client:
        faults = _provoked(strict, client)
    log = strict.log()
    forbidden = ("secret", "/", "127.0.0.1", "sqlite", "Traceback", socket.gethostname(), policy.image_id[7:19])

    assert [type(fault) for fault in faults] == [ModelUnavailable, StoreCorrupt, StoreUnavailable, RecordLost]
    for fault in faults:
        assert [word for word in forbidden if word in str(fault)] == []
        log_id = str(fault).rpartition(" ")[2].rstrip(".")
        assert re.fullmatch(r"[0-9a-f]{16}", log_id), str(fault)
        assert f'"log_id": "{log_id}"' in log
    assert "secret-directory" in log


def _provoked(server: ServerProcess, client: Client) -> list[ServiceFault]:
    """Return a fault of each kind that can be had without taking the engine away."""
    faults: list[ServiceFault] = []

    def expect(call: Callable[[], object]) -> None:
        with pytest.raises(ServiceFault) as caught:
            call()
        faults.append(caught.value)

    expect(lambda: client.ask("What is 1 + 2?"))
    with _damaged(server):
        expect(lambda: client.execute("add", {"a": 0, "b": 2}))
    with _locked(server):
        expect(lambda: client.execute("add", {"a": 0, "b": 2}))
    recorded = server.executions()
    with ThreadPoolExecutor(1) as caller:
        running = caller.submit(client.execute, "add", {"a": 1, "b": 2})
        wait_until(lambda: server.executions() > recorded, 5.0, "the call runs")
        with _locked(server):
            expect(running.result)
    return faults


@contextmanager
def _locked(server: ServerProcess) -> Iterator[None]:
    """Hold the registry as another program might that writes to it for too long."""
    with closing(sqlite3.connect(server.state_dir / "registry.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def _damaged(server: ServerProcess) -> Iterator[None]:
    """Change the stored tool, as a failing disk might."""
    with closing(sqlite3.connect(server.state_dir / "registry.db", isolation_level=None)) as connection:
        connection.execute("UPDATE tool_versions SET code = code || X'20'")
        yield
        connection.execute("UPDATE tool_versions SET code = CAST(substr(code, 1, length(code) - 1) AS BLOB)")
