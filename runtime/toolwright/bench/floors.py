"""What the cheapest ways to run something take on this machine: ours is judged by the ratio to them.

The containers are plain ones of this module's own, made from the sandbox image and thrown away; no
sandbox is ever entered with `docker exec`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import docker
from docker.models.containers import Container

from toolwright.bench.blocks import Subject, timed
from toolwright.bench.plan import Plan
from toolwright.errors import SandboxUnavailable
from toolwright.images.catalog import engine_faults

FORK_PIPE: Final = "fork_pipe"
PYTHON_START: Final = "python_start"
DOCKER_EXEC: Final = "docker_exec"
DOCKER_RUN: Final = "docker_run"
DOCKER_RUN_HARDENED: Final = "docker_run_hardened"
FLOORS: Final = (FORK_PIPE, PYTHON_START, DOCKER_EXEC, DOCKER_RUN, DOCKER_RUN_HARDENED)

_PROGRAM = Path(__file__).with_name("floor_program.py")
_SORT = 'import json; print(json.dumps(sorted("quilt anvil ferret tulip kettle walnut ember otter dew hinge".split())))'
_SLEEP = "import time; time.sleep(3600)"
_LABELS = {"org.toolwright.role": "bench"}
_HARDENED: Final[dict[str, Any]] = {
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "read_only": True,
    "user": "65534:65534",
    "mem_limit": 256 * 1024 * 1024,
    "memswap_limit": 256 * 1024 * 1024,
    "pids_limit": 64,
    "nano_cpus": 1_000_000_000,
    "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m"},  # noqa: S108 - inside the container
}
"""What `docker run` offers to a person who looks for safety."""


@contextmanager
def floor_subjects(client: docker.DockerClient, image_id: str, python: str, plan: Plan) -> Iterator[list[Subject]]:
    """Give all floors, ready to be measured; a container stays up for `docker exec` until the context ends.

    Args:
        client: of the engine.
        image_id: of the image that the containers are made from.
        python: the interpreter in it.
        plan: how often.

    Raises:
        EngineUnavailable: the engine does not answer.
        SandboxUnavailable: the plain container gives no answer.
    """

    def run_once(**options: Any) -> None:  # noqa: ANN401 - the engine's own options
        _check(0, client.containers.run(image_id, remove=True, **_plain(python, _SORT), **options))

    with engine_faults(), _resident(client, image_id, python) as container:
        subjects = [
            Subject(FORK_PIPE, fork_pipe, plan.calls_a_block),
            Subject(PYTHON_START, timed(_start_python), 3 * plan.engine_rounds),
            Subject(DOCKER_EXEC, timed(lambda: _exec_once(container, python)), 2 * plan.engine_rounds),
            Subject(DOCKER_RUN, timed(run_once), plan.engine_rounds),
            Subject(DOCKER_RUN_HARDENED, timed(lambda: run_once(**_HARDENED)), plan.engine_rounds),
        ]
        for subject in subjects:
            subject.run(1)  # the first pays for caches
        yield subjects


def fork_pipe(rounds: int) -> list[float]:
    """Return the milliseconds of each fork and pipe, in a small process of its own: ours has threads."""
    return [float(one) for one in json.loads(_end(_begin(rounds)))]


def forks_per_second(rounds: int, processes: int) -> float:
    """Return how many forks a second so many processes make at the same time, each of them `rounds`."""
    running = [_begin(rounds) for _ in range(processes)]
    times: Sequence[list[float]] = [json.loads(_end(one)) for one in running]
    return sum(1000 * len(one) / sum(one) for one in times)


def _begin(rounds: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-I", "-S", str(_PROGRAM), str(rounds)], stdout=subprocess.PIPE)  # noqa: S603 - our own program, by its path


def _end(program: subprocess.Popen[bytes]) -> bytes:
    output, _ = program.communicate(timeout=120)
    if program.returncode:
        raise SandboxUnavailable(f"the bench's own program ended with status {program.returncode}")
    return output


def _start_python() -> None:
    ran = subprocess.run(  # noqa: S603 - a constant of ours
        [sys.executable, "-I", "-S", "-c", _SORT], check=True, capture_output=True, timeout=60
    )
    _check(ran.returncode, ran.stdout)


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


def _plain(python: str, program: str) -> dict[str, Any]:
    return {"entrypoint": [python, "-I", "-S", "-c", program], "labels": _LABELS, "network_mode": "none"}


def _check(status: int | None, output: object) -> None:
    if status != 0 or not isinstance(output, bytes) or b"walnut" not in output:
        raise SandboxUnavailable(f"the bench's own container gave no answer (status {status}): {str(output)[:200]}")
