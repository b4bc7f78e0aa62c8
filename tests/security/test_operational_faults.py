"""FT: containers and servers that are killed while they work."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from tests.security.kit.server_process import ServerProcess, serving, wait_until
from toolwright.attacks.lab import Lab
from toolwright.attacks.observer import Observer
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import ServerUnavailable
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import LABEL_OWNER, SandboxPolicy
from toolwright.v1 import execution_pb2, execution_pb2_grpc, types_pb2

pytestmark = pytest.mark.security

_SLEEP: Final = "import time\ndef f(seconds: float):\n    time.sleep(seconds)\n    return 'done'\n"
_SHARED: Final = {"SANDBOX__ISOLATION": "tenant", "SANDBOX__POOL__MAX_CONTAINERS": "4"}


def test_ft_01_container_killed_in_a_call(lab: Lab, engine: Engine) -> None:
    """FT-01: a call whose container is killed ends within a second as our fault, and the pool makes another."""
    killed: list[float] = []

    def kill(container: str) -> None:
        lab.agent_and_rest(container)  # the call runs
        engine.client.api.kill(container)
        killed.append(time.monotonic())

    shot = lab.fire(_SLEEP, arguments_json='{"seconds": 5}', during=kill)
    twin = lab.fire(_SLEEP, arguments_json='{"seconds": 0.1}')

    assert (shot.status, shot.failure, shot.survived) == (Status.INFRASTRUCTURE, "SandboxLost", False)
    assert shot.ended_at - killed[0] <= 1.0
    assert twin.value == "done"


@pytest.fixture
def server(engine: Engine, policy: SandboxPolicy, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server whose containers all calls share."""
    with serving(engine, tmp_path / "state", SANDBOX__IMAGE=policy.image_id, **_SHARED) as running:
        yield running


def _begin(channel: grpc.Channel, seconds: float) -> Any:
    request = execution_pb2.ExecuteToolRequest(
        source=types_pb2.ToolSource(code=_SLEEP, function="f"), arguments_json=json.dumps({"seconds": seconds})
    )
    stub: Any = execution_pb2_grpc.ExecutionServiceStub(channel)
    return stub.ExecuteTool.future(request, timeout=60)


def test_ft_14_sigterm_with_calls_in_flight(server: ServerProcess) -> None:
    """FT-14: a server told to stop refuses new calls, lets the fifty that it has finish, and leaves no container."""
    with grpc.insecure_channel(server.address) as channel, server.client() as late:
        calls = [_begin(channel, 0.2) for _ in range(50)]
        calls[0].result()  # so the others have arrived as well: they are on the same connection
        assert server.containers()

        server.process.terminate()
        unfinished = sum(not call.done() for call in calls)
        time.sleep(0.2)
        with pytest.raises(ServerUnavailable):
            late.execute(ToolSource(_SLEEP, "f"), {"seconds": 0}, timeout_s=1.0)
        results = [call.result().result_json for call in calls]
        status = server.process.wait(20)

    assert unfinished > 10, "NOT PROVEN: the calls were over before the server was told to stop"
    assert results == ['"done"'] * 50
    assert status == 0
    assert server.containers() == []
    assert server.executions() == 50


def test_ft_16_sigkill_in_a_call(
    server: ServerProcess, engine: Engine, policy: SandboxPolicy, observer: Observer
) -> None:
    """FT-16: after a server is killed, the next one removes what it left, and only that, within ten seconds."""
    with grpc.insecure_channel(server.address) as channel:
        call = _begin(channel, 60)
        wait_until(lambda: _calls_run(server, observer), 10.0, "the call runs")
        owner = server.owner()
        server.process.kill()
        server.process.wait()
        with pytest.raises(grpc.RpcError):
            call.result()
    # One that would not end by itself when its server is gone, and one of a server that cannot be seen from here.
    stubborn, foreign = (_sleeping(engine, policy, label) for label in (owner, _of_another_host(owner)))
    try:
        begun = time.monotonic()
        with (
            serving(engine, server.state_dir, SANDBOX__IMAGE=policy.image_id, **_SHARED) as next_server,
            next_server.client() as client,
        ):
            removed_s = time.monotonic() - begun
            wait_until(lambda: server.containers() == [], 10.0 - removed_s, "the old server's containers are gone")
            execution = client.execute(ToolSource(_SLEEP, "f"), {"seconds": 0})
            foreign.reload()

            assert execution.outcome.status is Status.SUCCESS
            assert foreign.status == "running"
            assert next_server.executions() == 2  # the one that was killed, and this
            assert next_server.terminate() == 0
    finally:
        foreign.remove(force=True)
        if server.containers():
            stubborn.remove(force=True)


def test_ft_16_killed_call_is_on_record(server: ServerProcess, observer: Observer) -> None:
    """FT-16: a call that was running when its server was killed is on record, with its outcome unknown."""
    with grpc.insecure_channel(server.address) as channel:
        call = _begin(channel, 60)
        wait_until(lambda: _calls_run(server, observer), 10.0, "the call runs")
        server.process.kill()
        server.process.wait()
        with pytest.raises(grpc.RpcError):
            call.result()

    with closing(sqlite3.connect(server.state_dir / "registry.db")) as registry:
        (execution_id,) = registry.execute("SELECT execution_id FROM executions").fetchone()
    with server.store() as store:
        entry = store.get_execution(execution_id)

    assert server.executions() == 1
    assert (entry.ended, entry.status, len(entry.container_id)) == (False, None, 64)


def _calls_run(server: ServerProcess, observer: Observer) -> bool:
    return any(len(observer.processes(one)) > 2 for one in server.containers() if observer.is_there(one))


def _of_another_host(owner: str) -> str:
    boot, namespace, pid, start = owner.split("/")
    return f"{boot}/{int(namespace) + 1}/{pid}9/{start}"


def _sleeping(engine: Engine, policy: SandboxPolicy, owner: str) -> Any:
    """Start a harmless container that carries the label `owner`."""
    return engine.client.containers.run(
        policy.image_id,
        entrypoint=["/usr/bin/python3.13", "-I", "-S", "-c", "import time; time.sleep(120)"],
        detach=True,
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        mem_limit="32m",
        pids_limit=4,
        labels={LABEL_OWNER: owner},
    )
