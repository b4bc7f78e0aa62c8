"""AP: callers that send the wrong thing, hurry, or go away. Over TCP, against a server in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import grpc
import pytest

from tests.security.kit.server_process import ServerProcess, serving, wait_until
from toolwright.attacks.lab import KILL_S
from toolwright.attacks.observer import Observer
from toolwright.client import Client
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import DeadlineExceeded, InvalidInput
from toolwright.registry.testing import sample_task, sample_version, signed_record
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.v1 import execution_pb2, execution_pb2_grpc, types_pb2

pytestmark = [pytest.mark.security, pytest.mark.threat("T-API-01", "T-DOS-05")]

_SLEEP: Final = "import os, time\ndef f(seconds: float):\n    time.sleep(seconds)\n    return os.getuid()\n"
"""Each call in a container has the next user id, so consecutive ones prove that no other call ran between."""


@pytest.fixture(scope="module")
def server(engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a single container, and one verified tool: `add`."""
    state = tmp_path_factory.mktemp("state") / "server"
    settings = {"SANDBOX__POOL__MAX_CONTAINERS": "1", "SANDBOX__IMAGE": policy.image_id}
    with serving(engine, state, **settings) as running:
        with running.store() as store:
            version = sample_version(code="def add(a: int, b: int) -> int:\n    return a + b\n")
            store.admit(version, signed_record(running.signer, policy.image_id, version), sample_task())
        yield running


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """A client; after each test the server is as healthy as before, and its one container free again."""
    with server.client() as one:
        one.execute(ToolSource(_SLEEP, "f"), {"seconds": 0})
        fds, threads = server.use()
        yield one
        assert one.healthy(timeout_s=1.0)
        one.execute(ToolSource(_SLEEP, "f"), {"seconds": 0}, timeout_s=5.0)

        def settled() -> bool:
            now = server.use()
            return now[0] <= fds + 8 and now[1] <= threads + 16

        wait_until(settled, 3.0, "descriptors and threads of the server back to what they were")
        assert len(server.containers()) <= 1


def _sleep(client: Client, seconds: float, **keywords: Any) -> Execution:
    return client.execute(ToolSource(_SLEEP, "f"), {"seconds": seconds}, **keywords)


def _uid(execution: Execution) -> int:
    return int(json.loads(execution.outcome.result_json or "null"))


BAD_ARGUMENTS: Final = {
    "missing": ('{"a": 1}', "arguments_json.b"),
    "extra": ('{"a": 1, "b": 2, "c": 3}', "arguments_json.c"),
    "null": ('{"a": 1, "b": null}', "arguments_json.b"),
    "wrong type": ('{"a": [], "b": 2}', "arguments_json.a"),
    "integer as string": ('{"a": 1, "b": "2"}', "arguments_json.b"),
    "boolean for integer": ('{"a": true, "b": 2}', "arguments_json.a"),
    "no object": ("[1, 2]", "arguments_json"),
}


@pytest.mark.case("AP-01")
@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_ap_01_bad_arguments(server: ServerProcess, client: Client, channel: grpc.Channel, name: str) -> None:
    """AP-01: arguments off the schema are INVALID_ARGUMENT with the field's path; no container is used."""
    arguments, field = BAD_ARGUMENTS[name]
    before, recorded = _uid(_sleep(client, 0)), server.executions()

    with pytest.raises(InvalidInput) as refused:
        client.execute("add", arguments_json=arguments)
    with pytest.raises(grpc.RpcError) as raw:
        _stub(channel).ExecuteTool(execution_pb2.ExecuteToolRequest(tool="add", arguments_json=arguments), timeout=5)

    assert refused.value.field == field
    assert isinstance(raw.value, grpc.Call)
    assert raw.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert server.executions() == recorded
    assert _uid(_sleep(client, 0)) == before + 1


@pytest.mark.case("AP-01")
def test_ap_01_control(client: Client) -> None:
    """AP-01, control: the same tool takes good arguments."""
    assert client.execute("add", {"a": 1, "b": 2}).outcome.result_json == "3"


def _processes_of_calls(observer: Observer, container: str) -> int:
    return len(observer.processes(container)) - 2


@pytest.mark.case("AP-09")
def test_ap_09_deadline_in_a_call(server: ServerProcess, client: Client, observer: Observer) -> None:
    """AP-09: when the caller's deadline passes, its call is killed, whatever limit it would have had."""
    container = _sleep(client, 0).provenance.container_id
    recorded = server.executions()

    with pytest.raises(DeadlineExceeded):
        _sleep(client, 60, timeout_s=0.5)
    killed_s = wait_until(lambda: not _processes_of_calls(observer, container), 5.0, "its process dead")
    in_time = _sleep(client, 0.1, timeout_s=2.0)

    assert killed_s <= KILL_S
    assert in_time.outcome.status is Status.SUCCESS
    assert in_time.provenance.container_id == container
    assert server.executions() == recorded + 2  # the killed one is on record


@pytest.fixture
def channel(server: ServerProcess) -> Iterator[grpc.Channel]:
    """A connection whose calls can be cancelled one by one."""
    with grpc.insecure_channel(server.address) as one:
        yield one


def _begin(channel: grpc.Channel, seconds: float, code: str = _SLEEP) -> Any:
    request = execution_pb2.ExecuteToolRequest(
        source=types_pb2.ToolSource(code=code, function="f"), arguments_json=json.dumps({"seconds": seconds})
    )
    return _stub(channel).ExecuteTool.future(request, timeout=30)


def _stub(channel: grpc.Channel) -> Any:
    return execution_pb2_grpc.ExecutionServiceStub(channel)


@pytest.mark.case("AP-10")
def test_ap_10_cancel_in_a_call(
    server: ServerProcess, client: Client, channel: grpc.Channel, observer: Observer
) -> None:
    """AP-10: a cancelled call is killed at once, its container serves the next, and it is on record."""
    first = _sleep(client, 0)
    container, recorded = first.provenance.container_id, server.executions()

    call = _begin(channel, 60)
    wait_until(lambda: _processes_of_calls(observer, container), 5.0, "the call runs")
    call.cancel()
    killed_s = wait_until(lambda: not _processes_of_calls(observer, container), 5.0, "its process dead")
    following = _sleep(client, 0)

    assert call.code() is grpc.StatusCode.CANCELLED
    assert killed_s <= KILL_S
    assert following.provenance.container_id == container
    assert _uid(following) == _uid(first) + 2
    assert server.executions() == recorded + 2


@pytest.mark.case("AP-10")
def test_ap_10_cancel_in_the_queue(
    server: ServerProcess, client: Client, channel: grpc.Channel, observer: Observer
) -> None:
    """AP-10: a call that is cancelled while it waits never runs, and takes nobody's place."""
    first = _sleep(client, 0)
    container = first.provenance.container_id

    running = _begin(channel, 1.0)
    wait_until(lambda: _processes_of_calls(observer, container), 5.0, "the first call runs")
    waiting = _begin(channel, 0)
    with pytest.raises(grpc.FutureTimeoutError):
        waiting.result(timeout=0.2)
    waiting.cancel()
    following = _sleep(client, 0)

    assert waiting.code() is grpc.StatusCode.CANCELLED
    assert json.loads(running.result().result_json) == _uid(first) + 1
    assert _uid(following) == _uid(first) + 2


@pytest.mark.case("AP-10")
def test_ap_10_cancel_in_the_start_of_a_container(server: ServerProcess, client: Client, channel: grpc.Channel) -> None:
    """AP-10: a call that is cancelled while its container starts leaves no container and no call behind."""
    old = _sleep(client, 0).provenance.container_id
    recorded = server.executions()

    # Another tool: the only container has to make way, and a new one to start.
    call = _begin(channel, 0, "# another tool\n" + _SLEEP)
    wait_until(lambda: old not in server.containers(), 5.0, "the old container makes way")
    call.cancel()
    following = _sleep(client, 0)

    assert call.code() is grpc.StatusCode.CANCELLED
    assert following.outcome.status is Status.SUCCESS
    assert following.provenance.container_id != old
    assert server.executions() == recorded + 1
    assert len(server.containers()) <= 1


@pytest.mark.case("AP-10")
def test_ap_10_cancel_after_the_result(server: ServerProcess, client: Client, channel: grpc.Channel) -> None:
    """AP-10: cancelling a call that has ended, unread, changes nothing, and strikes nobody who comes after."""
    recorded = server.executions()

    call = _begin(channel, 0)
    wait_until(lambda: server.executions() == recorded + 1, 5.0, "the call has ended")
    call.cancel()
    following = client.execute(
        ToolSource(_SLEEP, "f"), {"seconds": 0.3}, limits=LimitsRequest(wall_time_s=2.0), timeout_s=5.0
    )

    assert call.code() in {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED}  # whichever reached the client first
    assert following.outcome.status is Status.SUCCESS
