"""The production profile: what it refuses of a host, what it shows to callers, and that development only warns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.security.kit.server_process import serving
from toolwright.client import Client
from toolwright.domain.source import ToolSource
from toolwright.errors import NotReady, SandboxUnavailable
from toolwright.registry.open import open_store
from toolwright.registry.signing import Signer
from toolwright.registry.testing import sample_task, sample_version, signed_record
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.host.check import check_host
from toolwright.sandbox.host.facts import EngineFacts, engine_facts
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.server import Server, open_server
from toolwright.settings import Settings

pytestmark = [pytest.mark.security, pytest.mark.threat("T-OPS-03")]

_ADD: Final = "def add(a: int, b: int) -> int:\n    return a + b\n"
_DEBUGGING: Final = (
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.channelz.v1.Channelz/GetServers",
    "/grpc.admin.v1.Admin/GetServers",
    "/toolwright.v1.DebugService/Dump",
)


def _good(engine: Engine, runtime: str) -> EngineFacts:
    """Return what this engine would say if it and its host were new and closed."""
    versions = [{"Name": "Engine", "Version": "29.5.1"}, {"Name": "runc", "Version": "1.4.4"}]
    options = ["name=apparmor", "name=seccomp,profile=builtin", "name=userns"]
    info = {**engine.info, "KernelVersion": "6.18.44", "CgroupVersion": "2", "SwapLimit": True}
    return EngineFacts(engine.address, {"Components": versions}, {**info, "SecurityOptions": options}, runtime)


def _old(engine: Engine, runtime: str) -> EngineFacts:
    """Return the same of one that is neither."""
    good = _good(engine, runtime)
    versions = [{"Name": "Engine", "Version": "20.10.24"}, {"Name": "runc", "Version": "1.1.5"}]
    info = {**good.info, "KernelVersion": "6.12.84", "CgroupVersion": "1", "SecurityOptions": ["name=seccomp"]}
    return EngineFacts(engine.address, {"Components": versions}, info, runtime)


@pytest.fixture
def production(policy: SandboxPolicy, tmp_path: Path) -> Settings:
    """Settings for production, with one verified tool, `add`."""
    with_store = Settings(
        profile="production",  # type: ignore[arg-type]  # as a file names it
        state_dir=tmp_path,
        sandbox={"image": policy.image_id, "pool": {"max_containers": 2}},  # type: ignore[arg-type]  # as above
    )
    tmp_path.mkdir(exist_ok=True)
    store = open_store(tmp_path / "registry.db")
    version = sample_version(code=_ADD)
    store.admit(version, signed_record(Signer.open(tmp_path / "signing.key"), policy.image_id, version), sample_task())
    store.close()
    return with_store


@contextmanager
def _channel(address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address) as channel:
        yield channel


def _health(address: str) -> int:
    with _channel(address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # made at run time
        return int(check(health_pb2.HealthCheckRequest(), timeout=5).status)


def _refused(server: Server) -> str:
    """Return why a server runs no tool, having tried."""
    with Client(server.address) as client, pytest.raises(SandboxUnavailable) as told:
        client.execute("add", {"a": 1, "b": 2})
    return str(told.value)


@pytest.mark.case("FT-25", "IM-09")
def test_ft_25_production_refuses_an_old_host(engine: Engine, production: Settings) -> None:
    """FT-25: every item below its floor and every missing layer is named, with advisories; NOT_SERVING."""
    with open_server(production, address="127.0.0.1:0", facts_of=_old) as server:
        told = _refused(server)
        health = _health(server.address)

    assert health == health_pb2.HealthCheckResponse.NOT_SERVING
    for word in (
        "dockerd", "CVE-2026-41567", "runc", "CVE-2024-21626", "kernel", "CVE-2026-31431",
        "cgroup", "user namespaces", "security module",
    ):  # fmt: skip
        assert word in told
    assert "swap accounting" not in told


@pytest.mark.case("FT-25")
def test_ft_25_production_refuses_in_a_process_of_ones_own_too(engine: Engine, production: Settings) -> None:
    """FT-25: a command that starts the services itself runs no tool either."""
    with open_server(production, facts_of=_old) as server:
        assert "CVE-2026-41567" in _refused(server)


@pytest.mark.case("FT-25")
def test_ft_25_control(engine: Engine, production: Settings) -> None:
    """FT-25, control: on a host that is new and closed the same settings serve; bare source is refused, as ever."""
    with open_server(production, address="127.0.0.1:0", facts_of=_good) as server, Client(server.address) as client:
        assert (server.refusal, _health(server.address)) == ("", health_pb2.HealthCheckResponse.SERVING)
        assert client.execute("add", {"a": 1, "b": 2}).outcome.result_json == "3"
        with pytest.raises(NotReady, match="verified tools only"):
            client.execute(ToolSource(_ADD, "add"), {"a": 1, "b": 2})


@pytest.mark.case("FT-25")
def test_ft_25_production_takes_what_was_accepted(engine: Engine, production: Settings) -> None:
    """FT-25: an operator who names each risk is served, and no other risk is waved through with it."""
    host = check_host(_old(engine, "runc"), production=True)
    risks = [*{advisory for one in host.unfit for advisory in one.advisories}]
    layers = [one.name for one in host.unfit if not one.advisories]
    for accepted, serves in (([*risks, *layers], True), (risks, False), (layers, False)):
        settings = production.model_copy(update={"accepted_risks": tuple(accepted)})
        with open_server(settings, facts_of=_old) as server:
            assert (server.refusal == "") is serves


@pytest.mark.case("FT-25", "IM-09")
@pytest.mark.slow
def test_ft_25_on_this_machine(engine: Engine, policy: SandboxPolicy, tmp_path: Path) -> None:
    """FT-25: `toolwright serve` here: production refuses by exactly what doctor finds, development logs each."""
    facts = engine_facts(engine, policy.runtime)
    strict, mild = check_host(facts, production=True), check_host(facts, production=False)
    with serving(engine, tmp_path / "strict", PROFILE="production", SANDBOX__IMAGE=policy.image_id) as server:
        health, containers = _health(server.address), server.containers()
    with serving(engine, tmp_path / "mild", SANDBOX__IMAGE=policy.image_id):
        pass
    refused, warned = _logged(tmp_path / "strict.log"), _logged(tmp_path / "mild.log")

    fit = not strict.unfit
    wanted = health_pb2.HealthCheckResponse.SERVING if fit else health_pb2.HealthCheckResponse.NOT_SERVING
    assert (health, bool(containers)) == (wanted, fit)
    reasons = [line for line in refused if line["event"] == "not serving"]
    assert [line["host"] for line in reasons] == ([] if fit else [[finding.name for finding in strict.unfit]])
    for finding in strict.unfit:
        assert all(word in reasons[0]["reason"] for word in (finding.name, *finding.advisories))
    assert [line["item"] for line in warned if line["event"] == "host"] == [one.name for one in mild.warnings]
    assert not any(line["host"] for line in warned if line["event"] == "not serving")


def _logged(log: Path) -> list[dict[str, Any]]:
    """Return the lines of a log."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture(params=["production", "development"])
def shown(request: pytest.FixtureRequest, engine: Engine, production: Settings) -> Iterator[tuple[str, grpc.Channel]]:
    """A server of each profile."""
    settings = production.model_copy(update={"profile": type(production.profile)(request.param)})
    with open_server(settings, address="127.0.0.1:0", facts_of=_good) as server, _channel(server.address) as channel:
        yield request.param, channel


@pytest.mark.case("AP-16")
def test_ap_16_debugging_services(shown: tuple[str, grpc.Channel]) -> None:
    """AP-16: reflection, channelz and the like are UNIMPLEMENTED in production; control: development has reflection."""
    profile, channel = shown
    codes = {path: _code(channel, path) for path in _DEBUGGING}

    answered = {path for path, code in codes.items() if code is not grpc.StatusCode.UNIMPLEMENTED}
    assert answered == ({_DEBUGGING[0]} if profile == "development" else set())
    if profile == "development":
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        (listed,) = stub.ServerReflectionInfo(iter([asked]), timeout=5)
        services = {service.name for service in listed.list_services_response.service}
        assert "toolwright.v1.ExecutionService" in services


def _code(channel: Any, path: str) -> grpc.StatusCode:
    """Send an empty message to a call; return how it ended."""
    call = channel.stream_stream(path)(iter([b""]), timeout=5)
    try:
        list(call)
    except grpc.RpcError:
        return grpc.StatusCode(call.code())
    return grpc.StatusCode.OK
