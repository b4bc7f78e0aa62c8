"""What any gRPC client sees: calls not served yet, malformed requests, health, reflection, tokens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no py.typed marker
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from toolwright.client import Client
from toolwright.errors import InvalidInput
from toolwright.services.endpoint import SERVICES
from toolwright.services.status import DETAILS_KEY, from_status
from toolwright.services.testing import ScriptedExecutor, endpoint, parts, sample_execution, serving
from toolwright.v1 import (
    audit_pb2,
    execution_pb2,
    execution_pb2_grpc,
    makings_pb2,
    solve_pb2,
    tools_pb2,
    types_pb2,
)

DESCRIPTORS = [
    method
    for module in (execution_pb2, tools_pb2, solve_pb2, audit_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
SERVED = {
    "ExecuteTool",
    "ExecuteBatch",
    "MakeTool",
    "RegisterTool",
    "GetTool",
    "ListTools",
    "SearchTools",
    "Solve",
    "ListMisses",
    "AnswerMiss",
    # Lives of tools.
    "SetAlias",
    "RollbackTool",
    "ApproveTool",
    "QuarantineTool",
    "RetireTool",
    "ListToolEvents",
    "ExportTool",
    "ImportTool",
    # Makings.
    "FollowMaking",
    "ListMakings",
    "GetMaking",
    "CancelMaking",
}


@pytest.fixture
def channel() -> Iterator[grpc.Channel]:
    """A plain channel to a server of stand-ins."""
    with serving(parts()) as address, grpc.insecure_channel(address) as opened:
        yield opened


def call(channel: Any, method: Any, raw: bytes) -> Any:
    """Send `raw` to a method, and return its first reply."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    if method.client_streaming:
        return next(iter(channel.stream_stream(path)(iter([raw]), timeout=5)))
    if method.server_streaming:
        return next(iter(channel.unary_stream(path)(raw, timeout=5)))
    return channel.unary_unary(path)(raw, timeout=5)


def reason_of(fault: grpc.RpcError) -> str:
    """Return the reason in a status error's details."""
    trailers: Any = fault.trailing_metadata()
    for key, value in trailers:
        if key == DETAILS_KEY:
            info = error_details_pb2.ErrorInfo()
            status_pb2.Status.FromString(value).details[0].Unpack(info)
            reason: str = info.reason
            return reason
    return ""


@pytest.mark.parametrize("method", [one for one in DESCRIPTORS if one.name not in SERVED], ids=lambda one: one.name)
def test_calls_not_served_yet_say_so(channel: grpc.Channel, method: Any) -> None:
    """UNIMPLEMENTED with its reason and the name of the call."""
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, method, b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert reason_of(caught.value) == "UNSUPPORTED"
    assert method.name in str(caught.value.details())


@pytest.mark.case("AP-22")
@pytest.mark.parametrize("method", [one for one in DESCRIPTORS if one.name in SERVED], ids=lambda one: one.name)
@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x0a\xff", b"\x12\x02\xc3\x28\xff"])
def test_a_request_that_is_no_message_is_the_callers_fault(channel: grpc.Channel, method: Any, raw: bytes) -> None:
    """INVALID_ARGUMENT with its reason, not INTERNAL, for broken bytes and for text that is no UTF-8."""
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, method, raw)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value) == "INVALID_INPUT"


@pytest.mark.parametrize(
    ("method", "message", "field"),
    [
        ("ExecuteTool", execution_pb2.ExecuteToolRequest(), "tool"),
        ("MakeTool", tools_pb2.MakeToolRequest(), "task"),
        ("MakeTool", tools_pb2.MakeToolRequest(task=tools_pb2.Task()), "name"),
        ("MakeTool", tools_pb2.MakeToolRequest(task=tools_pb2.Task(name="add")), "examples.training"),
        ("MakeTool", tools_pb2.MakeToolRequest(attempts=-1), "attempts"),
        ("MakeTool", tools_pb2.MakeToolRequest(max_tokens=-1), "max_tokens"),
        ("MakeTool", tools_pb2.MakeToolRequest(max_cost_usd=float("nan")), "max_cost_usd"),
        ("MakeTool", tools_pb2.MakeToolRequest(max_seconds=float("inf")), "max_seconds"),
        ("MakeTool", tools_pb2.MakeToolRequest(candidates=9), "candidates"),
        ("FollowMaking", makings_pb2.FollowMakingRequest(), "making_id"),
        ("GetMaking", makings_pb2.GetMakingRequest(making_id="no id"), "making_id"),
        ("CancelMaking", makings_pb2.CancelMakingRequest(making_id="\n"), "making_id"),
        ("CancelMaking", makings_pb2.CancelMakingRequest(making_id="m", reason="x" * 1001), "reason"),
        ("ListMakings", makings_pb2.ListMakingsRequest(page_size=-1), "page_size"),
        ("ListMakings", makings_pb2.ListMakingsRequest(page_token="junk"), "page_token"),
        ("RegisterTool", tools_pb2.RegisterToolRequest(), "task"),
        ("RegisterTool", tools_pb2.RegisterToolRequest(task=tools_pb2.Task(name="add")), "source"),
        ("GetTool", tools_pb2.GetToolRequest(), "tool"),
        ("SearchTools", tools_pb2.SearchToolsRequest(), "query"),
        ("SearchTools", tools_pb2.SearchToolsRequest(query="x", limit=101), "limit"),
        ("ListMisses", solve_pb2.ListMissesRequest(page_token="x"), "page_token"),
        ("ListMisses", solve_pb2.ListMissesRequest(page_size=-1), "page_size"),
        ("AnswerMiss", solve_pb2.AnswerMissRequest(answer="x"), "miss"),
        ("AnswerMiss", solve_pb2.AnswerMissRequest(miss="x", actor="a" * 201), "actor"),
        ("ListTools", tools_pb2.ListToolsRequest(page_size=-1), "page_size"),
        ("ListTools", tools_pb2.ListToolsRequest(page_size=1001), "page_size"),
        ("ListTools", tools_pb2.ListToolsRequest(page_token="junk"), "page_token"),
        ("Solve", solve_pb2.SolveRequest(), "question"),
        ("Solve", solve_pb2.SolveRequest(question="q", tool="t" * 300), "tool"),
    ],
)
def test_bad_fields_are_named(channel: grpc.Channel, method: str, message: Any, field: str) -> None:
    """Nothing is started for a request with a bad field."""
    descriptor = next(one for one in DESCRIPTORS if one.name == method)
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, descriptor, message.SerializeToString())
    fault = from_status(caught.value)
    assert isinstance(fault, InvalidInput)
    assert fault.field == field


def test_unknown_method_is_unimplemented(channel: Any) -> None:
    """A call of a newer protocol."""
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/toolwright.v1.ToolService/Newer")(b"", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_health_follows_the_server() -> None:
    """NOT_SERVING until ready, SERVING then, NOT_SERVING while draining; overall and for each service."""
    serving_now, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    running, going_on = threading.Event(), threading.Event()

    def behaviour(*_: object) -> Any:
        running.set()
        assert going_on.wait(10)
        return sample_execution()

    with (
        endpoint(parts(executor=ScriptedExecutor(behaviour))) as (address, served),
        grpc.insecure_channel(address) as channel,
    ):
        health: Any = health_pb2_grpc.HealthStub(channel)
        for name in ("", *SERVICES):
            reply = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
            assert reply.status == serving_now
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=20)
        assert next(watch).status == serving_now
        request = execution_pb2.ExecuteToolRequest(tool="add")
        end = execution_pb2_grpc.ExecutionServiceStub(channel).ExecuteTool.future(request)
        assert running.wait(5)
        drain = threading.Thread(target=served.drain, args=(10,))
        drain.start()
        assert next(watch).status == not_serving
        going_on.set()
        drain.join(5)
        assert not drain.is_alive(), "a watcher of health must not hold up the end"
        assert end.result(5).status == types_pb2.STATUS_SUCCESS


def test_reflection_shows_the_protocol_in_development_only() -> None:
    """Any gRPC tool can explore a development server, and none a production one."""
    with serving(parts()) as address, grpc.insecure_channel(address) as channel:
        assert set(SERVICES) <= set(ProtoReflectionDescriptorDatabase(channel).get_services())
    with (
        serving(parts(), reflect=False) as address,
        grpc.insecure_channel(address) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        ProtoReflectionDescriptorDatabase(channel).get_services()
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.case("AP-23")
def test_compressed_requests_are_refused() -> None:
    """A small request must not unpack to a large one."""
    executor = ScriptedExecutor()
    with serving(parts(executor=executor)) as address, grpc.insecure_channel(address) as channel:
        stub = execution_pb2_grpc.ExecutionServiceStub(channel)
        request = execution_pb2.ExecuteToolRequest(tool="add", arguments_json='{"a":"' + "x" * 100_000 + '"}')
        with pytest.raises(grpc.RpcError):
            stub.ExecuteTool(request, compression=grpc.Compression.Gzip, timeout=5)
    assert executor.asked == []


def test_huge_metadata_is_refused() -> None:
    """Headers are bounded like messages."""
    executor = ScriptedExecutor()
    with serving(parts(executor=executor)) as address, grpc.insecure_channel(address) as channel:
        stub = execution_pb2_grpc.ExecutionServiceStub(channel)
        request = execution_pb2.ExecuteToolRequest(tool="add")
        with pytest.raises(grpc.RpcError) as caught:
            stub.ExecuteTool(request, metadata=(("x", "y" * 20_000),), timeout=5)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert executor.asked == []


def test_an_address_that_is_taken_is_refused(tmp_path: Path) -> None:
    """A second server neither shares a port nor pushes a socket aside; a stale socket is replaced."""
    refused = pytest.raises(InvalidInput, match=r"listen: .*cannot be listened on")
    with serving(parts(), address="127.0.0.1:0") as address, refused, serving(parts(), address=address):
        pass
    place, refused = f"unix:{tmp_path}/s.sock", pytest.raises(InvalidInput, match="a server answers there")
    with serving(parts(), address=place), refused, serving(parts(), address=place):
        pass
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "stale.sock"))
    with serving(parts(), address=f"unix:{tmp_path}/stale.sock") as stale_place, Client(stale_place) as client:
        assert client.healthy()
    (tmp_path / "file").write_text("precious")
    with pytest.raises(InvalidInput, match="no socket"), serving(parts(), address=f"unix:{tmp_path}/file"):
        pass
    assert (tmp_path / "file").read_text() == "precious"


def test_sockets_are_for_this_user_alone(tmp_path: Path) -> None:
    """Whoever can open the socket can run tools."""
    with serving(parts(), address=f"unix:{tmp_path}/s.sock"):
        assert (tmp_path / "s.sock").stat().st_mode & 0o777 == 0o600
