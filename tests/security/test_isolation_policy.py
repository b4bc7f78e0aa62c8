"""AP-26: what callers may ask for, over all fields of all requests; none of it weakens the server's policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import grpc
import pytest
from google.protobuf.descriptor import Descriptor

from tests.security.kit.server_process import ServerProcess, serving
from toolwright.client import Client
from toolwright.domain.call import Isolation
from toolwright.domain.source import ToolSource
from toolwright.errors import PermissionDenied
from toolwright.registry.testing import sample_task, sample_version, signed_record
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.v1 import audit_pb2, execution_pb2, execution_pb2_grpc, solve_pb2, tools_pb2, types_pb2

pytestmark = [pytest.mark.security, pytest.mark.case("AP-26"), pytest.mark.threat("T-API-02")]

_SOURCE: Final = ToolSource("def f(**asked):\n    return sorted(asked)\n", "f")
_HELD_BY_THE_POLICY: Final = re.compile(
    r"runtime|network|image|privileg|mount|volume|bind|device|capab|cap_|seccomp|apparmor|security|user|uid|gid|group|env"
    r"|host|port|dns|docker|engine|registry|tenant|owner|profile|policy|isolat|namespace|ipc|tmpfs|root|sysctl|ulimit"
    r"|cpu|cgroup|swap|memory|process|file_bytes|trust|verified|admin|debug"
)
_MAY_BE_ASKED: Final = {
    "isolation": "only as strict as the policy's, or stricter: test_ap_26_isolation",
    "memory_bytes": "only lower than the ceiling: tests/unit/domain/test_limits.py",
    "processes": "refused in a request: test_ap_26_limits_of_the_policy",
    "file_bytes": "refused in a request: test_ap_26_limits_of_the_policy",
    "trusted_keys": "whose file is read; its code is verified here all the same: tests/contract/services/test_lives.py",
}
"""Fields of requests that are named like something of the policy's, and what holds them."""
_RUNS_NOTHING: Final = {"AuditService.GetImageReport.image_digest", "SolveService.ListMisses.group"}
"""Fields that only say what to read."""


@pytest.fixture(scope="module")
def server(engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server where tools are apart, and the tool `add` even more so."""
    state = tmp_path_factory.mktemp("state") / "server"
    settings = {
        "SANDBOX__POOL__MAX_CONTAINERS": "3",
        "SANDBOX__IMAGE": policy.image_id,
        "ISOLATION__TOOLS__ADD": "call",
    }
    with serving(engine, state, **settings) as running:
        with running.store() as store:
            version = sample_version(code="def add(a: int, b: int) -> int:\n    return a + b\n")
            store.admit(version, signed_record(running.signer, policy.image_id, version), sample_task())
        yield running


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """A client of it."""
    with server.client() as one:
        yield one


@pytest.fixture
def raw(server: ServerProcess) -> Iterator[Any]:
    """Sends any bytes as a request, with any headers."""
    with grpc.insecure_channel(server.address) as channel:
        yield execution_pb2_grpc.ExecutionServiceStub(channel)


def _paths(message: Descriptor, path: str, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """Yield path and name of each field that a message holds, however deep."""
    for field in message.fields:
        yield f"{path}.{field.name}", field.name
        inner = field.message_type
        if inner is not None and inner.full_name not in seen:
            yield from _paths(inner, f"{path}.{field.name}", seen | {inner.full_name})


REQUEST_FIELDS: Final = [
    found
    for module in (execution_pb2, tools_pb2, solve_pb2, audit_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    for found in _paths(method.input_type, f"{service.name}.{method.name}")
]


def test_ap_26_no_request_has_a_field_for_the_policy() -> None:
    """AP-26: no field of any request, however deep, is named like a part of the policy, but for those held below."""
    unexplained = {path for path, name in REQUEST_FIELDS if _HELD_BY_THE_POLICY.search(name)} - {
        path for path, name in REQUEST_FIELDS if name in _MAY_BE_ASKED
    }

    assert unexplained == _RUNS_NOTHING


def test_ap_26_fields_control() -> None:
    """AP-26, control: the walk finds fields at every depth, and its words those of a message that does tell of it."""
    names = {name for _, name in REQUEST_FIELDS}
    told = {field.name for field in types_pb2.Provenance.DESCRIPTOR.fields if _HELD_BY_THE_POLICY.search(field.name)}

    assert set(_MAY_BE_ASKED) <= names
    assert {"tool", "source", "code", "answer", "question", "request_id"} <= names
    assert {"runtime", "image_digest", "isolation"} <= told


def test_ap_26_isolation(client: Client) -> None:
    """AP-26: a level weaker than the policy's is PERMISSION_DENIED; the reply names the level that was in force."""
    for tool, arguments, asked, level in (
        (_SOURCE, {}, Isolation.TENANT, "tool"),
        ("add", {"a": 1, "b": 2}, Isolation.TENANT, "call"),
        ("add", {"a": 1, "b": 2}, Isolation.TOOL, "call"),
    ):
        with pytest.raises(PermissionDenied, match=f"{asked.value!r} is weaker than {level!r}"):
            client.execute(tool, arguments, isolation=asked)

    usual, again = (client.execute(_SOURCE).provenance for _ in range(2))
    strict, stricter = (client.execute("add", {"a": 1, "b": 2}).provenance for _ in range(2))
    assert (usual.isolation, strict.isolation) == (Isolation.TOOL, Isolation.CALL)
    assert usual.container_id == again.container_id
    assert len({usual.container_id, strict.container_id, stricter.container_id}) == 3


def test_ap_26_isolation_control(client: Client) -> None:
    """AP-26, control: the field is read: a stricter level is granted, and is what happens."""
    usual = client.execute(_SOURCE, isolation=Isolation.TOOL).provenance
    strict = client.execute(_SOURCE, isolation=Isolation.CALL).provenance

    assert (usual.isolation, strict.isolation) == (Isolation.TOOL, Isolation.CALL)
    assert usual.container_id != strict.container_id


@pytest.mark.parametrize("field", ["processes", "file_bytes", "load_time_s"])
def test_ap_26_limits_of_the_policy(raw: Any, field: str) -> None:
    """AP-26: limits that are the policy's alone are INVALID_ARGUMENT even where they would lower it."""
    request = execution_pb2.ExecuteToolRequest(source=types_pb2.ToolSource(code=_SOURCE.code, function="f"))
    setattr(request.limits, field, 1)
    with pytest.raises(grpc.RpcError) as refused:
        raw.ExecuteTool(request, timeout=10)

    assert isinstance(refused.value, grpc.Call)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"limits.{field}" in str(refused.value.details())


def _text_field(number: int, text: str) -> bytes:
    """Return a field of a protobuf message that no specification of ours knows."""
    body, tag = text.encode(), number << 3 | 2
    return bytes([tag & 0x7F | 0x80, tag >> 7, len(body)]) + body


def test_ap_26_wishes_in_other_places_change_nothing(
    server: ServerProcess, raw: Any, engine: Engine, policy: SandboxPolicy
) -> None:
    """AP-26: unknown fields, headers and arguments that name weaker options change nothing of the container."""
    wishes = {"runtime": "weak", "network": "host", "image": "python", "privileged": "true", "mounts": "/:/host"}
    asked = execution_pb2.ExecuteToolRequest(
        source=types_pb2.ToolSource(code=_SOURCE.code, function="f"),
        arguments_json='{"runtime":"weak","network":"host","image":"python","privileged":true,"mounts":["/:/host"]}',
    ).SerializeToString()
    unknown = b"".join(_text_field(number, wish) for number, wish in enumerate(wishes.values(), 40))
    request = execution_pb2.ExecuteToolRequest.FromString(asked + unknown)
    assert len(request.SerializeToString()) == len(asked) + len(unknown)  # they are really sent
    headers = [(f"x-toolwright-{name}", wish) for name, wish in wishes.items()]
    headers += [("x-tenant", "other"), ("tenant", "other"), ("isolation", "tenant"), ("profile", "development")]

    reply = raw.ExecuteTool(request, metadata=headers, timeout=20)

    assert reply.result_json == '["image","mounts","network","privileged","runtime"]'
    where = reply.provenance
    assert (where.image_digest, where.runtime) == (policy.image_id, policy.runtime)
    assert where.isolation == types_pb2.ISOLATION_TOOL
    assert where.container_id in server.containers()
    seen = engine.client.api.inspect_container(where.container_id)
    options = seen["HostConfig"]
    assert (options["NetworkMode"], options["Privileged"], options["Runtime"]) == ("none", False, policy.runtime)
    assert (options["Binds"], seen["Mounts"], seen["Image"]) == (None, [], policy.image_id)
    with server.store() as store:
        assert store.get_execution(reply.execution_id).tenant == "default"
