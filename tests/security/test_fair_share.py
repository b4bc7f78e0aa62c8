"""RX: callers that take all the CPU time, or all containers, and what is left to others. Servers of their own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from statistics import median
from typing import Final

import pytest

from tests.security.kit.server_process import ServerProcess, serving
from toolwright.client import Client
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.source import ToolSource
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy

pytestmark = [pytest.mark.security, pytest.mark.threat("T-DOS-03")]

_CONTAINERS: Final = 8
_SPINNERS: Final = 16
"""In each container."""
_SPIN_S: Final = 2.5
_SPIN: Final = """
import os, time
def f(spinners: int, seconds: float):
    end = time.monotonic() + seconds
    children = 0
    while children < spinners - 1 and os.fork():
        children += 1
    is_parent = children == spinners - 1
    while time.monotonic() < end:
        pass
    if not is_parent:
        os._exit(0)
    for _ in range(children):
        os.wait()
    return children + 1
"""
_WORK: Final = """
import time
def f(rounds: int):
    begun = time.process_time()
    for number in range(rounds):
        number * number
    return time.process_time() - begun
"""
_ROUNDS: Final = 1_000_000
_SLACK_S: Final = 1.0


@pytest.fixture
def server(engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with room for all of them, and one container ahead."""
    state = tmp_path_factory.mktemp("state") / "server"
    settings = {"SANDBOX__POOL__MAX_CONTAINERS": str(_CONTAINERS + 2), "SANDBOX__IMAGE": policy.image_id}
    with serving(engine, state, **settings) as running:
        yield running


def _spin(client: Client, number: int, spinners: int, seconds: float) -> Execution:
    source = ToolSource(f"# caller {number}\n{_SPIN}", "f")  # a tool of its own, so a container of its own
    return client.execute(source, {"spinners": spinners, "seconds": seconds}, timeout_s=60)


def _work(client: Client) -> tuple[float, float]:
    """Do the neighbour's work; return the CPU time that it needs and the time that it took, in seconds."""
    begun = time.monotonic()
    execution = client.execute(ToolSource(_WORK, "f"), {"rounds": _ROUNDS}, timeout_s=60)
    assert execution.outcome.status is Status.SUCCESS
    return float(execution.result), time.monotonic() - begun


@pytest.mark.slow  # a server with its start-up check, and nine containers
@pytest.mark.case("RX-36")
def test_rx_36_spinners_in_many_containers(server: ServerProcess) -> None:
    """RX-36: with 128 spinners in 8 containers health answers within 1 s, and a neighbour gets its fair share."""
    with server.client() as client, ThreadPoolExecutor(_CONTAINERS) as threads:
        warm = [_spin(client, number, 1, 0) for number in range(_CONTAINERS)]
        _work(client)
        alone = max(_work(client)[1] for _ in range(3))

        spinning = [threads.submit(_spin, client, number, _SPINNERS, _SPIN_S) for number in range(_CONTAINERS)]
        time.sleep(_SPIN_S / 5)
        answers, works = _look_on(client, spinning)
        ended = [one.result() for one in spinning]

    share = min(1.0, (os.cpu_count() or 1) / (_CONTAINERS + 1))
    assert len({one.provenance.container_id for one in warm}) == _CONTAINERS
    assert [(one.outcome.status, one.result) for one in ended] == [(Status.SUCCESS, _SPINNERS)] * _CONTAINERS
    assert sum(one.outcome.usage.cpu_ms for one in ended) >= 500 * _SPIN_S, "NOT PROVEN: they hardly spun"
    assert answers
    assert all(answers), "health did not answer within 1 s"
    assert works, "NOT PROVEN: the neighbour did not come to work while they spun"
    for cpu_s, took_s in works:
        assert took_s <= 2 * cpu_s / share + _SLACK_S, f"{cpu_s:.3f} s of work took {took_s:.3f} s, alone {alone:.3f} s"


def _look_on(client: Client, spinning: list[Future[Execution]]) -> tuple[list[bool], list[tuple[float, float]]]:
    """Ask for health and do the neighbour's work until one of the spinners has ended."""
    answers: list[bool] = []
    works: list[tuple[float, float]] = []
    while not wait(spinning, timeout=0).done:
        answers.append(client.healthy(timeout_s=1.0))
        worked = _work(client)
        if not wait(spinning, timeout=0).done:
            works.append(worked)
    return answers, works


_FLOOD: Final = 16
_NAP: Final = """
import time
def f(seconds: float):
    time.sleep(seconds)
    return seconds
"""
_NAP_S: Final = 0.1


@pytest.fixture
def small_server(
    engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server with two containers, and room for all to wait."""
    state = tmp_path_factory.mktemp("state") / "server"
    settings = {"SANDBOX__POOL__MAX_CONTAINERS": "2", "SANDBOX__IMAGE": policy.image_id}
    with serving(engine, state, **settings) as running:
        yield running


def _nap(client: Client, tool: str) -> float:
    """Call a tool that sleeps; return how long the call took, in seconds."""
    begun = time.monotonic()
    execution = client.execute(ToolSource(f"# {tool}\n{_NAP}", "f"), {"seconds": _NAP_S}, timeout_s=60)
    assert execution.outcome.status is Status.SUCCESS
    return time.monotonic() - begun


@pytest.mark.slow  # a server with its start-up check
def test_a_flooded_tool_does_not_hold_up_another(small_server: ServerProcess) -> None:
    """Sixteen callers keep one tool's queue full; another tool's calls, one at a time, hardly wait."""
    over = threading.Event()
    flooding: list[float] = []
    with small_server.client() as client, ThreadPoolExecutor(_FLOOD) as threads, ExitStack() as stack:

        def flood() -> None:
            while not over.is_set():
                flooding.append(_nap(client, "flooding"))

        stack.callback(over.set)
        callers = [threads.submit(flood) for _ in range(_FLOOD)]
        time.sleep(2.0)
        first, *others = [_nap(client, "another") for _ in range(10)]
        over.set()
        for caller in callers:
            caller.result()

    in_queue_s = median(flooding[-2 * _FLOOD :])
    assert in_queue_s > 0.4 * _FLOOD * _NAP_S, "NOT PROVEN: there was no queue"
    assert median(others) < 2 * _NAP_S + 0.1 < in_queue_s / 2
    assert first < 3.0, "the end of a call, the removal of a container, and the start of another"
