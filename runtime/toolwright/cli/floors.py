"""Measures what the cheapest ways to run something take on this machine: ours is judged by the ratio to them.

The containers are plain ones of this module's own, made from the sandbox image and thrown away; no
sandbox is ever entered with `docker exec`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from toolwright.cli.environment import Floors
from toolwright.errors import SandboxUnavailable
from toolwright.images.catalog import engine_faults

_PROGRAM = Path(__file__).with_name("floor_program.py")
_SORT = 'import json; print(json.dumps(sorted("quilt anvil ferret tulip kettle walnut ember otter dew hinge".split())))'
_SLEEP = "import time; time.sleep(3600)"
_FORK_ROUNDS = 200
_LABELS = {"org.toolwright.role": "bench"}


def measure_floors(client: docker.DockerClient, image_id: str, python: str, *, rounds: int) -> Floors:
    """Return the medians: of 200 forks, and of `rounds` runs of each kind of container.

    Raises:
        EngineUnavailable: the engine does not answer.
        SandboxUnavailable: the plain container gives no answer.
    """
    with engine_faults(), _resident(client, image_id, python) as container:
        return Floors(
            fork_pipe_ms=fork_pipe_ms(_FORK_ROUNDS),
            docker_exec_ms=_median(lambda: _exec_once(container, python), rounds),
            docker_run_ms=_median(lambda: _run_once(client, image_id, python), rounds),
        )


def fork_pipe_ms(rounds: int) -> float:
    """Return the median of fork and pipe, in milliseconds, in a small process of its own: ours has threads."""
    ran = subprocess.run(  # noqa: S603 - our own program, by its path
        [sys.executable, "-I", "-S", str(_PROGRAM), str(rounds)], check=True, capture_output=True, timeout=120
    )
    return float(statistics.median(json.loads(ran.stdout)))


def _median(once: Callable[[], None], rounds: int) -> float:
    once()  # the first pays for caches
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        once()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


@contextmanager
def _resident(client: docker.DockerClient, image_id: str, python: str) -> Iterator[Container]:
    container = client.containers.run(image_id, detach=True, **_plain(python, _SLEEP))
    try:
        yield container
    finally:
        container.remove(force=True)


def _exec_once(container: Container, python: str) -> None:
    ran = container.exec_run([python, "-I", "-S", "-c", _SORT])
    _check(ran.exit_code, ran.output)


def _run_once(client: docker.DockerClient, image_id: str, python: str) -> None:
    _check(0, client.containers.run(image_id, remove=True, **_plain(python, _SORT)))


def _plain(python: str, program: str) -> dict[str, Any]:
    return {"entrypoint": [python, "-I", "-S", "-c", program], "labels": _LABELS, "network_mode": "none"}


def _check(status: int | None, output: object) -> None:
    if status != 0 or not isinstance(output, bytes) or b"walnut" not in output:
        raise SandboxUnavailable(f"the bench's own container gave no answer (status {status}): {str(output)[:200]}")
