"""FT: containers and servers that are killed while they work."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from tests.security.kit.partition import partitioned
from tests.security.kit.server_process import ServerProcess, serving, wait_until
from toolwright.attacks.lab import Lab
from toolwright.attacks.observer import Observer
from toolwright.attacks.proof import NotProven
from toolwright.client import Client
from toolwright.domain.limits import MIB
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import ConnectionLost, ServerUnavailable, ToolwrightError
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import LABEL_OWNER, SandboxPolicy
from toolwright.server.places import sweep_places
from toolwright.v1 import execution_pb2, execution_pb2_grpc, types_pb2

pytestmark = [pytest.mark.security, pytest.mark.threat("T-DOS-06")]

_SLEEP: Final = "import time\ndef f(seconds: float):\n    time.sleep(seconds)\n    return 'done'\n"
_SHARED: Final = {"ISOLATION__DEFAULT": "tenant", "SANDBOX__POOL__MAX_CONTAINERS": "4"}


@pytest.mark.case("FT-01")
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


@pytest.mark.case("FT-14")
def test_ft_14_sigterm_with_calls_in_flight(server: ServerProcess) -> None:
    """FT-14: a server told to stop refuses new calls, lets the fifty that it has finish, and leaves no container."""
    with grpc.insecure_channel(server.address) as channel, server.client() as late:
        calls = [_begin(channel, 0.2) for _ in range(50)]
        wait_until(lambda: any(call.done() for call in calls), 20.0, "the first call ends")
        time.sleep(0.2)  # the others have arrived as well: they are on the same connection
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


@pytest.mark.case("FT-16", "FT-24")
@pytest.mark.slow
def test_ft_16_sigkill_in_a_call(
    server: ServerProcess, engine: Engine, policy: SandboxPolicy, observer: Observer
) -> None:
    """FT-16: after a server is killed, the next one removes what it left, and only that, within ten seconds."""
    with grpc.insecure_channel(server.address) as channel:
        call = _begin(channel, 60)
        wait_until(lambda: _calls_run(server, observer), 30.0, "the call runs")
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


@pytest.mark.case("FT-16")
def test_ft_16_killed_call_is_on_record(server: ServerProcess, observer: Observer) -> None:
    """FT-16: a call that was running when its server was killed is on record, with its outcome unknown."""
    with grpc.insecure_channel(server.address) as channel:
        call = _begin(channel, 60)
        wait_until(lambda: _calls_run(server, observer), 30.0, "the call runs")
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


# --- memory that is taken away, and an agent that dies ------------------------------------------------

_GROW: Final = """
import time
def f():
    kept = []
    for _ in range(200):
        kept.append(bytearray(b"x" * 1024 * 1024))
        time.sleep(0.01)
    return "grown"
"""


@pytest.mark.case("FT-03")
def test_ft_03_memory_limit_lowered_in_a_call(lab: Lab, engine: Engine) -> None:
    """FT-03: a limit that is lowered beneath a call ends it as OUT_OF_MEMORY or as our fault, never with a result."""

    def lower(container: str) -> None:
        lab.agent_and_rest(container)  # the call runs
        used = engine.client.api.stats(container, stream=False, one_shot=True)["memory_stats"]["usage"]
        limit = used + 16 * MIB
        engine.client.api.update_container(container, mem_limit=limit, memswap_limit=limit)

    twin = lab.fire(_GROW, wall_time_s=8.0)
    shot = lab.fire(_GROW, wall_time_s=8.0, during=lower)
    if shot.survived:  # with its lower limit it is nothing for other tests
        engine.client.api.kill(shot.execution.provenance.container_id)

    assert twin.value == "grown"
    assert shot.status in {Status.OUT_OF_MEMORY, Status.INFRASTRUCTURE}
    assert shot.outcome.result_json is None


@pytest.mark.case("FT-03")
@pytest.mark.parametrize("which", [0, 1], ids=["relay", "zygote"])
def test_ft_03_agent_killed_in_a_call(lab: Lab, engine: Engine, policy: SandboxPolicy, which: int) -> None:
    """FT-03: when the kernel kills a process of the agent, a call ends as what it was or as our fault, never empty."""

    def kill(container: str) -> None:
        agent, _ = lab.agent_and_rest(container)
        _kill(engine, policy, agent[which].host_pid)

    shot = lab.fire(_SLEEP, arguments_json='{"seconds": 2}', during=kill)

    assert not shot.survived
    if shot.status is Status.SUCCESS:  # the call itself lived on
        assert (which, shot.value) == (1, "done")
    else:
        assert (shot.status, shot.outcome.result_json) == (Status.INFRASTRUCTURE, None)


def _kill(engine: Engine, policy: SandboxPolicy, host_pid: int) -> None:
    """Kill a process by the host's number, as the kernel does when memory runs out."""
    engine.client.containers.run(
        policy.image_id,
        entrypoint=["/usr/bin/python3.13", "-I", "-S", "-c", f"import os; os.kill({host_pid}, 9)"],
        remove=True,
        user="0:0",
        pid_mode="host",
        userns_mode="host",
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        cap_add=["KILL"],
        mem_limit="32m",
        pids_limit=4,
    )


# --- signals ------------------------------------------------------------------------------------------


@pytest.mark.case("FT-15")
@pytest.mark.parametrize(
    "numbers",
    [
        (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
        (signal.SIGHUP, signal.SIGINT, signal.SIGINT),
    ],
    ids=["TERM first", "HUP first"],
)
def test_ft_15_signals_in_the_drain(server: ServerProcess, observer: Observer, numbers: tuple[int, ...]) -> None:
    """FT-15: further signals while a call is awaited only make the end come sooner; status 0, no container left."""
    with grpc.insecure_channel(server.address) as channel:
        call = _begin(channel, 9)
        wait_until(lambda: _calls_run(server, observer), 30.0, "the call runs")
        begun = time.monotonic()
        for number in numbers:
            server.process.send_signal(number)
            time.sleep(0.2)
        status = server.process.wait(20)
        seconds = time.monotonic() - begun
        with pytest.raises(grpc.RpcError):
            call.result()

    assert status in {0, 143}, "the last signal may come when all is done"
    assert seconds < 8, "it waited for the call"
    assert server.containers() == []
    assert server.executions() == 1


@pytest.mark.case("FT-15")
@pytest.mark.parametrize("delay_s", [1.6, *(pytest.param(late, marks=pytest.mark.slow) for late in (0.8, 2.4))])
def test_ft_15_signals_in_the_warm_up(engine: Engine, policy: SandboxPolicy, tmp_path: Path, delay_s: float) -> None:
    """FT-15: a server that is told to stop while it starts does, and leaves no container, even if told twice."""
    command = [str(Path(sys.executable).with_name("toolwright")), "serve", "--json", "--state-dir", str(tmp_path / "s")]
    settings = {
        "TOOLWRIGHT_SANDBOX__IMAGE": policy.image_id,
        "TOOLWRIGHT_SANDBOX__POOL__MIN_READY": "2",
    }
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | settings
    ) as process:
        time.sleep(delay_s)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=20)

    assert process.returncode in {143, 0, -signal.SIGTERM}, told
    assert b"Traceback" not in told
    assert ServerProcess("", process, tmp_path, engine).containers() == []


# --- containers and places that nobody has any more ---------------------------------------------------


@pytest.mark.case("FT-18")
def test_ft_18_a_pool_full_of_dead_containers(server: ServerProcess, engine: Engine) -> None:
    """FT-18: containers that died while idle are noticed before they are handed out; callers only wait longer."""
    with grpc.insecure_channel(server.address) as channel, server.client() as client:
        for call in [_begin(channel, 0.3) for _ in range(4)]:
            call.result()
        dead = server.containers()
        for one in dead:
            engine.client.api.kill(one)
        with ThreadPoolExecutor(4) as threads:
            calls = [threads.submit(client.execute, ToolSource(_SLEEP, "f"), {"seconds": 0.1}) for _ in range(8)]
            executions = [call.result() for call in calls]

    assert len(dead) >= 3, "NOT PROVEN: the pool was not full"
    assert {execution.outcome.status for execution in executions} == {Status.SUCCESS}
    assert not {execution.provenance.container_id for execution in executions} & set(dead)


_OWN_SERVER: Final = """
import sys, time
from toolwright.server import open_server
from toolwright.settings import Settings
with open_server(Settings(state_dir=sys.argv[1], sandbox={"image": sys.argv[2]})) as server:
    print(server.address, flush=True)
    time.sleep(60)
"""


@pytest.mark.case("FT-24")
def test_ft_24_places_of_dead_servers(policy: SandboxPolicy, tmp_path: Path) -> None:
    """FT-24: the directory of a server that was killed is removed by the next one; those of others stay."""
    with subprocess.Popen(
        [sys.executable, "-c", _OWN_SERVER, str(tmp_path / "state"), policy.image_id], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip().removeprefix("unix:")).parent
        living = sweep_places(left.parent), left.is_dir()
        process.kill()
    others = {
        "mine": owner_label(),
        "hidden": _of_another_host(owner_label()),
        "nonsense": "no label",
        "none": None,
    }
    places = {name: Path(tempfile.mkdtemp(prefix="toolwright-", dir=left.parent)) for name in others}
    linked = left.parent / f"toolwright-link-{os.getpid()}"
    linked.symlink_to(tmp_path)
    (tmp_path / "owner").write_text((left / "owner").read_text())
    try:
        for name, label in others.items():
            if label is not None:
                (places[name] / "owner").write_text(label)
        removed = sweep_places(left.parent)

        assert living == (0, True)
        assert removed >= 1
        assert not left.exists()
        assert [name for name, place in places.items() if not place.is_dir()] == []
        assert (tmp_path / "owner").exists()
    finally:
        linked.unlink()
        for place in places.values():
            shutil.rmtree(place)


# --- a network that is cut ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.case("FT-31")
def test_ft_31_partition(engine: Engine, policy: SandboxPolicy, tmp_path: Path, observer: Observer) -> None:
    """FT-31: when nothing gets through any more both sides end the call soon; another that is silent is left alone."""
    long = {"SANDBOX__LIMITS__WALL_TIME_S": "100", "SANDBOX__POOL__MAX_CONTAINERS": "4", "ISOLATION__DEFAULT": "call"}
    source = ToolSource(_SLEEP, "f")
    with (
        serving(engine, tmp_path / "state", SANDBOX__IMAGE=policy.image_id, **long) as server,
        partitioned(server.address) as wire,
        Client(wire.address, timeout_s=90.0) as cut,
        Client(server.address, timeout_s=90.0) as whole,
        ThreadPoolExecutor(2) as threads,
    ):
        assert cut.execute(source, {"seconds": 0}).outcome.status is Status.SUCCESS
        silent = threads.submit(whole.execute, source, {"seconds": 60})
        wait_until(lambda: _running(server, observer) == 1, 10.0, "the silent call runs")
        lost = threads.submit(cut.execute, source, {"seconds": 80})
        wait_until(lambda: _running(server, observer) == 2, 10.0, "both calls run")

        wire.cut()
        begun = time.monotonic()
        server_s = wait_until(lambda: _running(server, observer) == 1, 25.0, "the server has ended the call")
        fault = _fault_of(lost)
        client_s = time.monotonic() - begun

        assert type(fault) is ConnectionLost
        assert server_s < 20
        assert client_s < 25
        assert silent.result(70).outcome.status is Status.SUCCESS


def _fault_of(call: Any) -> BaseException:
    with pytest.raises(ToolwrightError) as caught:
        call.result(30)
    return caught.value


def _running(server: ServerProcess, observer: Observer) -> int:
    """Return in how many of its containers a call runs."""
    return sum(len(observer.processes(one)) > 2 for one in server.containers() if observer.is_there(one))


def _calls_run(server: ServerProcess, observer: Observer) -> bool:
    for one in server.containers():
        # A spare container may be removed between one look and the next, as demand falls.
        with suppress(NotProven):
            if len(observer.processes(one)) > 2:
                return True
    return False


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
