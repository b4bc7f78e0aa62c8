"""FT: a container engine that is restarted beneath a server."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.security.kit.refused_start import refused_start
from tests.security.kit.second_engine import GHOST, second_engine
from tests.security.kit.server_process import serving, wait_until
from toolwright.client import Client
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import SandboxUnavailable
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy

pytestmark = [pytest.mark.security, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.threat("T-OPS-01")]

SLEEP: Final = ToolSource("import time\ndef f(seconds: float):\n    time.sleep(seconds)\n    return 'done'\n", "f")
_RECOVERED_S: Final = 30.0


def _succeeds(client: Client) -> bool:
    try:
        return client.execute(SLEEP, {"seconds": 0}).outcome.status is Status.SUCCESS
    except SandboxUnavailable:
        return False


@pytest.mark.case("FT-05")
@pytest.mark.parametrize("live_restore", [False, True], ids=["containers end", "containers live on"])
def test_ft_05_engine_restarted_in_a_call(
    engine: Engine, policy: SandboxPolicy, tmp_path: Path, *, live_restore: bool
) -> None:
    """FT-05: a call ends as our fault, later ones are UNAVAILABLE, and all is well again when the engine is back."""
    with (
        second_engine(engine, policy.image_id, live_restore=live_restore) as second,
        second.connected() as own,
        serving(
            own,
            tmp_path / "state",
            DOCKER_HOST=second.address,
            SANDBOX__IMAGE=policy.image_id,
            SANDBOX__LIMITS__WALL_TIME_S="60",
            ISOLATION__DEFAULT="tenant",
        ) as server,
        server.client() as client,
        ThreadPoolExecutor(1) as threads,
    ):
        assert _succeeds(client), server.log()
        before, recorded = set(server.containers()), server.executions()
        running = threads.submit(client.execute, SLEEP, {"seconds": 50})
        wait_until(lambda: server.executions() > recorded, 5.0, "the call is sent")

        second.stop()
        stopped = time.monotonic()
        lost = running.result(10).outcome
        lost_s = time.monotonic() - stopped
        assert not _succeeds(client)
        wait_until(lambda: not client.healthy(), 10.0, "health says NOT_SERVING")
        second.start()
        wait_until(lambda: _succeeds(client), _RECOVERED_S, "calls succeed again")
        wait_until(client.healthy, 2.0, "health says SERVING")
        wait_until(lambda: not before & set(server.containers()), _RECOVERED_S, "the old containers are gone")

        assert (lost.status, lost.failure and lost.failure.type) == (Status.INFRASTRUCTURE, "SandboxLost")
        assert lost_s < 2.0
        assert server.terminate() == 0
        assert server.containers() == []


@pytest.mark.case("FT-08")
def test_ft_08_runtime_that_is_only_a_name(engine: Engine, policy: SandboxPolicy, tmp_path: Path) -> None:
    """FT-08: a runtime that the engine lists but cannot start is refused; no container runs under another one."""
    with second_engine(engine, policy.image_id) as second:
        refused = refused_start(
            tmp_path / "state",
            DOCKER_HOST=second.address,
            SANDBOX__IMAGE=policy.image_id,
            SANDBOX__RUNTIME=GHOST,
        )
        with second.connected() as own:
            left = own.client.containers.list(all=True)

    assert (refused.status, refused.reason) == (3, "SANDBOX_UNAVAILABLE")
    assert "runtime create failed" in refused.message
    assert left == []
