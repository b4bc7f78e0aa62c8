"""A server whose sandbox is not in force: what it refuses, what it answers, and what reaches its parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from toolwright.errors import SandboxUnavailable
from toolwright.services.endpoint import SERVICES, Endpoint
from toolwright.services.status import from_status
from toolwright.services.testing import ScriptedExecutor, ScriptedMaker, ScriptedSolver, parts
from toolwright.settings import GrpcSettings
from toolwright.v1 import audit_pb2, execution_pb2, ledger_pb2, solve_pb2, tools_pb2

pytestmark = pytest.mark.unit

REASON = "no tool is run: layers of the sandbox are not in force: network"
RUNS_CODE = {
    "ExecutionService/ExecuteTool", "ExecutionService/ExecuteToolStream", "ExecutionService/ExecuteBatch",
    "ToolService/MakeTool", "ToolService/RegisterTool", "ToolService/ImportTool", "ToolService/VerifyTool",
    "SolveService/Solve",
}  # fmt: skip
METHODS = [
    method
    for module in (execution_pb2, tools_pb2, solve_pb2, audit_pb2, ledger_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


@pytest.fixture
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    """A channel to a server that runs no code."""
    given = parts(executor=ScriptedExecutor(), maker=ScriptedMaker(), solver=ScriptedSolver())
    endpoint = Endpoint(given, grpc_settings=GrpcSettings(), reflect=True, refusal=REASON)
    address = endpoint.listen(f"unix:{tmp_path_factory.mktemp('s')}/server.sock")
    endpoint.ready()
    try:
        with grpc.insecure_channel(address) as channel:
            yield channel
    finally:
        endpoint.drain(0)
    assert given.executor.asked == []  # type: ignore[attr-defined]  # the scripted one
    assert given.maker.asked == []  # type: ignore[attr-defined]  # as above
    assert given.solver.asked == []  # type: ignore[attr-defined]  # as above


def fault_of(channel: Any, method: Any) -> grpc.RpcError | None:
    """Send an empty request to the call that a descriptor names; return its fault, if it ends with one."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.client_streaming:
            list(channel.stream_stream(path)(iter([b""]), timeout=5))
        else:
            list(channel.unary_stream(path)(b"", timeout=5))
    except grpc.RpcError as fault:
        return fault
    return None


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name.rpartition("v1.")[2])
def test_each_call_that_would_run_code_is_refused(refusing: grpc.Channel, method: Any) -> None:
    """Every call of every service: those that run code say why they do not, all others answer as always."""
    fault: Any = fault_of(refusing, method)
    refused = fault is not None and REASON in fault.details()
    assert refused is (f"{method.containing_service.name}/{method.name}" in RUNS_CODE)
    if refused:
        assert fault.code() is grpc.StatusCode.UNAVAILABLE
        assert isinstance(from_status(fault), SandboxUnavailable)


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_health_is_not_serving(refusing: grpc.Channel, service: str) -> None:
    """For the whole and for each service, after `ready` as before."""
    check = health_pb2_grpc.HealthStub(refusing).Check  # type: ignore[attr-defined]  # made at run time
    reply = check(health_pb2.HealthCheckRequest(service=service), timeout=5)
    assert reply.status == health_pb2.HealthCheckResponse.NOT_SERVING
