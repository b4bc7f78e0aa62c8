"""Limits score: of the limits that one would want on untrusted code, how many are in force?

The same probes run as a tool, and in a container that a plain `docker run` makes, so that the figure can be compared.
Each probe takes a little more than the limit and then gives it back: it is harmless where nothing stops it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

import requests
from docker.errors import DockerException
from docker.models.containers import Container

from toolwright.attacks.proof import shown
from toolwright.attacks.score_programs import ALL, FIND, LEAVE, PRINT, PRINTED, PROBE, SLEEP, SLEEP_LIMIT_S
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Outcome, Status
from toolwright.errors import EngineUnavailable
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import LABEL_OWNER, LABEL_ROLE

FROM_INSIDE: Final[Mapping[str, str]] = {
    "memory": "384 MiB are refused",
    "processes": "the hundredth process is refused",
    "threads": "the two hundredth thread is refused",
    "open files": "the 2,000th descriptor is refused",
    "disk": "a file of 100 MiB is refused",
    "file names": "the 6,000th file is refused",
    "CPU": "two processes that compute get less than one and a half processors",
    "user": "not root",
    "capabilities": "none is in force",
    "no new privileges": "a program cannot raise rights",
    "root file system": "read-only",
    "system call filter": "there is one",
    "network": "no interface but loopback",
    "internet sockets": "cannot be made",
    "kernel crypto sockets": "cannot be made",
    "user namespaces": "cannot be made",
    "mounting": "cannot be made",
    "tracing": "not even one's own child",
    "other programs": "cannot be executed",
    "memory as a file": "cannot be made, and so not executed",
    "io_uring": "cannot be set up",
    "kernel keyrings": "cannot be reached",
    "shared memory": "neither /dev/shm nor SysV segments",
    "core dumps": "the limit is 0",
    "device files": "only null, zero, full, random and urandom",
    "environment": "nothing of the host's or the image's beyond a few fixed names",
}
"""What the probe finds out from inside: limit → what holds if it is in force."""
FROM_OUTSIDE: Final[Mapping[str, str]] = {
    "time": "what sleeps beyond its time is ended",
    "output": "of 20 MiB printed, not all is kept",
    "left behind": "a process and a file that one run leaves are not there for the next",
}
"""What is found out from outside."""
TITLES: Final = {**FROM_INSIDE, **FROM_OUTSIDE}

_WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Score:
    """Which limits are in force."""

    name: str
    """Of what was tried."""
    in_force: Mapping[str, bool]
    """By limit: the keys of `TITLES`."""

    @property
    def held(self) -> int:
        """How many are in force."""
        return sum(self.in_force.values())

    def __str__(self) -> str:
        return f"{self.held} of {len(self.in_force)}"


class Runner(Protocol):
    """Runs probes in one sandbox, one after another."""

    def run(self, code: str, *, arguments_json: str = "{}", limits: Limits | None = None) -> Outcome:
        """Run the function `f` of `code`."""


def score_sandbox(name: str, runner: Runner) -> Score:
    """Try every limit on a sandbox of ours.

    Args:
        name: what to call it.
        runner: one container of it; it is used for several calls.

    Raises:
        NotProven: the probes could not run.
    """
    inside = {name: _held(name, runner.run(PROBE, arguments_json=json.dumps({"name": name}))) for name in FROM_INSIDE}
    slept = runner.run(SLEEP, limits=Limits(wall_time_s=SLEEP_LIMIT_S))
    printed = runner.run(PRINT)
    runner.run(LEAVE)
    looked = runner.run(FIND)
    outside = {
        "time": slept.status is Status.TIMEOUT,
        "output": len(printed.stdout.kept) < PRINTED,
        "left behind": looked.result_json == "[]",
    }
    return Score(name, inside | outside)


def _held(limit: str, outcome: Outcome) -> bool:
    """Say whether a limit is in force, by its probe's answer or by what ended the probe."""
    if outcome.status is Status.OUT_OF_MEMORY:
        return True
    answered = outcome.status is Status.SUCCESS and outcome.result_json in {"true", "false"}
    shown(answered, f"the probe of {limit} ended with {outcome}")
    return outcome.result_json == "true"


def score_docker_run(engine: Engine, image: str) -> Score:
    """Try every limit on the container of a plain `docker run`, which has no option but the command.

    Each run has a container of its own, as `docker run` gives it; nothing of it is ever put into one of a pool.

    Args:
        engine: where.
        image: one with Python in it, such as the sandbox image.

    Raises:
        NotProven: the probes could not run.
        EngineUnavailable: the engine does not answer.
    """
    try:
        with _plain(engine, image, PROBE + ALL) as container:
            container.wait(timeout=_WAIT_S)
            inside = json.loads(container.logs(stdout=True, stderr=False))
        return Score("docker run", _judged(inside) | _outside(engine, image))
    except (DockerException, requests.RequestException) as fault:
        raise EngineUnavailable(f"The engine does not run a plain container: {fault}") from fault
    except ValueError as garbage:
        shown(could=False, why_not=f"the probe in a plain container ended without its answers: {garbage}")
        raise


def _outside(engine: Engine, image: str) -> dict[str, bool]:
    with _plain(engine, image, f"import time; time.sleep({SLEEP_LIMIT_S * 2}); print('slept')") as container:
        container.wait(timeout=_WAIT_S)
        slept = container.logs(stdout=True, stderr=False)
    with _plain(engine, image, PRINT + "f()") as container:
        container.wait(timeout=_WAIT_S)
        kept = sum(len(chunk) for chunk in container.logs(stdout=True, stderr=False, stream=True))
    with _plain(engine, image, LEAVE + "f()") as container:
        container.wait(timeout=_WAIT_S)
        with _plain(engine, image, FIND + "print(f())") as following:
            following.wait(timeout=_WAIT_S)
            found = following.logs(stdout=True, stderr=False)
    return {"time": slept != b"slept\n", "output": kept < PRINTED, "left behind": found == b"[]\n"}


@contextmanager
def _plain(engine: Engine, image: str, program: str) -> Iterator[Container]:
    containers: Any = engine.client.containers  # its types know less than it takes
    labels = {LABEL_OWNER: owner_label(), LABEL_ROLE: "plain"}
    entrypoint = ["/usr/bin/python3.13", "-I", "-S", "-c", program]
    container = containers.create(image, entrypoint=entrypoint, command=[], labels=labels)
    try:
        container.start()
        yield container
    finally:
        with suppress(DockerException, requests.RequestException):
            container.remove(force=True, v=True)


def _judged(answers: Mapping[str, Any]) -> dict[str, bool]:
    """Return the probe's answers; what it did not answer is not in force."""
    return {name: answers.get(name) is True for name in FROM_INSIDE}
