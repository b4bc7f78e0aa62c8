"""What a killed server leaves ends by itself, and what cannot is swept by the next one, and nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from tests.integration.sandbox.helpers import eventually, exists
from toolwright.sandbox.docker_pool import sweep_orphans
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import LABEL_OWNER, SandboxPolicy

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
Harmless = Callable[[dict[str, str]], str]


@pytest.fixture
def harmless(engine: Engine, policy: SandboxPolicy) -> Iterator[Harmless]:
    """Start containers that do nothing, under labels of the test's choice."""
    made: list[Any] = []

    def start(labels: dict[str, str]) -> str:
        container = engine.client.containers.run(
            policy.image_id,
            entrypoint=["/usr/bin/python3.13", "-I", "-S", "-c", "import time; time.sleep(120)"],
            command=[],
            detach=True,
            network_mode="none",
            labels=labels,
        )
        made.append(container)
        return str(container.id)

    yield start
    for container in made:
        if exists(engine, container.id):
            container.remove(force=True)


def dead_owner() -> str:
    """Return the label of a process that has ended."""
    program = "from toolwright.sandbox.owner import owner_label; print(owner_label())"
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def test_only_what_a_dead_server_left_is_swept(engine: Engine, harmless: Harmless) -> None:
    """A living server's containers, those of a server that cannot be seen, and everyone else's stay."""
    boot, namespace, pid, start = owner_label().split("/")
    orphans = [harmless({LABEL_OWNER: dead_owner()}), harmless({LABEL_OWNER: f"{boot}/{namespace}/{pid}/1"})]
    kept = [
        harmless({LABEL_OWNER: owner_label()}),
        harmless({LABEL_OWNER: f"{boot}/1/{pid}/{start}"}),
        harmless({LABEL_OWNER: "someone's own word"}),
        harmless({"org.toolwright.role": "sandbox"}),
        harmless({}),
    ]

    sweep_orphans(engine)  # or any other server's, which may be faster

    eventually(lambda: not any(exists(engine, one) for one in orphans))
    assert [exists(engine, one) for one in kept] == [True] * 5


def test_a_sweep_takes_stopped_ones_as_well(engine: Engine, harmless: Harmless) -> None:
    """A container whose automatic removal never came, for the engine was killed, too."""
    orphan = harmless({LABEL_OWNER: dead_owner()})
    with suppress(APIError):  # another server's sweep may be faster
        engine.client.api.kill(orphan)
        engine.client.api.wait(orphan)

    sweep_orphans(engine)

    eventually(lambda: not exists(engine, orphan))


def test_containers_of_a_server_killed_in_a_call_end_by_themselves(engine: Engine, policy: SandboxPolicy) -> None:
    """Kill -9: the channel closes, each agent ends, blank, idle or in a call; nobody has to sweep."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.sandbox.server_process", policy.image_id],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        containers = [told["used"], *told["blank"]]
        assert len(containers) == 3
        time.sleep(0.3)  # the call runs
        assert all(exists(engine, one) for one in containers)
        server.kill()

    took = eventually(lambda: not any(exists(engine, one) for one in containers), within_s=10)

    assert took < 10
    left = engine.client.containers.list(all=True, filters={"label": f"{LABEL_OWNER}={told['owner']}"})
    assert left == []
