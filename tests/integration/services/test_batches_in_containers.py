"""ExecuteBatch on a real engine: own answers in any order, partial failure, and nothing that runs on afterwards."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from toolwright.client import BatchAnswer, BatchCall, Client
from toolwright.domain.call import Isolation
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import InvalidInput, NotFound, PermissionDenied, SandboxUnavailable
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import LABEL_OWNER
from toolwright.server import open_server
from toolwright.settings import Settings

TOOL = ToolSource(
    """
import os
import time


def tool(n: int, do: str = "") -> int:
    if do == "raise":
        raise ValueError(n)
    if do == "exit":
        os._exit(3)
    if do == "nap":
        time.sleep(0.5)
    if do == "sleep":
        os.fork()  # two processes: one more than wait in an idle container
        time.sleep(9)
    return n * n
""",
    "tool",
)


def settings_in(directory: Path, *, containers: int = 2, **changes: Any) -> Settings:
    """Return settings whose state is in `directory`."""
    pool = {"min_ready": 1, "max_containers": containers}
    given: dict[str, Any] = {"state_dir": directory, "sandbox": {"pool": pool}}
    return Settings(**given | changes)


def call(number: int, do: str = "", **changes: Any) -> BatchCall:
    """Return a call of the tool."""
    given: dict[str, Any] = {"request_id": str(number), "tool": TOOL, "arguments": {"n": number, "do": do}}
    return BatchCall(**given | changes)


def processes(engine: Engine, label: str) -> list[int]:
    """Return how many processes each container of a server has."""
    containers = engine.client.containers.list(filters={"label": f"{LABEL_OWNER}={label}"})
    return [len(container.top()["Processes"]) for container in containers]


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Wait for what happens within seconds."""
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.1)
    assert true(), what


def test_each_call_gets_its_own_result_whatever_the_order(engine: Engine, tmp_path: Path) -> None:
    """Two hundred calls in two containers; the first, which naps, does not hold up the others."""
    calls = [call(0, "nap"), *(call(number) for number in range(1, 200))]
    with open_server(settings_in(tmp_path)) as server, Client(server.address) as client:
        answers = list(client.execute_batch(calls))
    results = {answer.request_id: answer.execution and answer.execution.outcome.result_json for answer in answers}
    assert results == {str(number): str(number * number) for number in range(200)}
    assert len(answers) == 200
    assert answers[0].request_id != "0"
    assert len({answer.execution.execution_id for answer in answers if answer.execution}) == 200


def test_what_is_off_or_fails_is_told_call_by_call(engine: Engine, tmp_path: Path) -> None:
    """Ends of tools are executions, refusals are the faults of single calls, and the good ones among them succeed."""
    calls = [
        call(1),
        call(2, "raise"),
        call(3, "exit"),
        call(4, "sleep", limits=LimitsRequest(wall_time_s=0.3)),
        call(5, tool="no_such_tool"),
        call(6, limits=LimitsRequest(wall_time_s=1e6)),
        call(7, arguments=None, arguments_json="[1]"),
        call(8, isolation=Isolation.TENANT),
        call(9),
    ]
    with open_server(settings_in(tmp_path)) as server, Client(server.address) as client:
        answers = {answer.request_id: answer for answer in client.execute_batch(calls)}
    ends = {name: answer.execution.outcome.status for name, answer in answers.items() if answer.execution}
    errors = {name: type(answer.error) for name, answer in answers.items() if answer.error}
    assert ends == {
        "1": Status.SUCCESS, "2": Status.TOOL_ERROR, "3": Status.CRASHED, "4": Status.TIMEOUT, "9": Status.SUCCESS,
    }  # fmt: skip
    assert errors == {"5": NotFound, "6": InvalidInput, "7": InvalidInput, "8": PermissionDenied}


def test_leaving_a_batch_leaves_no_process(engine: Engine, tmp_path: Path) -> None:
    """The tools that slept are dead within moments, and their containers serve the next call."""
    with open_server(settings_in(tmp_path)) as server, Client(server.address) as client:
        list(client.execute_batch(call(number, "nap") for number in range(2)))
        idle = max(processes(engine, owner_label()))
        for answer in client.execute_batch(call(number, "sleep" if number else "") for number in itertools.count()):
            assert answer.request_id == "0"
            wait_until(lambda: max(processes(engine, owner_label())) > idle, "NOT PROVEN: no tool was seen running")
            break
        wait_until(lambda: max(processes(engine, owner_label())) <= idle, "a tool runs on")
        started = time.monotonic()
        assert client.execute(TOOL, {"n": 3}).outcome.result_json == "9"
        assert time.monotonic() - started < 5


def test_another_caller_is_served_while_a_batch_runs(engine: Engine, tmp_path: Path) -> None:
    """Another tool's single calls find their container, and health answers, while an endless batch keeps on."""
    ended = threading.Event()
    answered: list[BatchAnswer] = []
    other = ToolSource("def other(n: int) -> int:\n    return n + 1\n", "other")

    def batch() -> None:
        endless = itertools.takewhile(lambda _: not ended.is_set(), map(call, itertools.count()))
        with Client(server.address) as mine:
            answered.extend(mine.execute_batch(endless))

    with open_server(settings_in(tmp_path, containers=4)) as server, Client(server.address) as client:
        running = threading.Thread(target=batch)
        running.start()
        try:
            waits = []
            for number in range(15):
                began = time.monotonic()
                assert client.execute(other, {"n": number}, timeout_s=10).outcome.result_json == str(number + 1)
                waits.append(time.monotonic() - began)
                assert client.healthy()
        finally:
            ended.set()
            running.join(30)
    assert {answer.error for answer in answered} == {None}
    assert len(answered) > 20
    assert max(waits) < 8


def test_a_full_queue_is_waited_out(engine: Engine, tmp_path: Path) -> None:
    """A pool with one container and no queue turns a second batch's calls away; none of them is told so."""
    pool = {"min_ready": 1, "max_containers": 1, "max_queue": 0}
    settings = settings_in(tmp_path, sandbox={"pool": pool})
    ends: list[BatchAnswer] = []
    with open_server(settings) as server, Client(server.address) as client:
        ends.extend(client.execute_batch([call(0)]))  # until the container is there
        single = threading.Thread(target=client.execute, args=(TOOL, {"n": 1, "do": "nap"}))
        single.start()
        time.sleep(0.2)
        ends.extend(client.execute_batch(call(number) for number in range(10)))
        single.join(10)
    assert [answer.error for answer in ends] == [None] * 11


SERVE = """
import json, sys
from toolwright.sandbox.owner import owner_label
from toolwright.server import open_server
from toolwright.settings import Settings

pool = {"min_ready": 1, "max_containers": 2}
with open_server(Settings(state_dir=sys.argv[1], sandbox={"pool": pool}), address="127.0.0.1:0") as server:
    print(json.dumps({"address": server.address, "owner": owner_label()}), flush=True)
    server.wait()
print("ended", flush=True)
"""


@dataclass(frozen=True)
class Served:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    address: str
    owner: str


@contextmanager
def served_in(directory: Path, program: str = SERVE) -> Iterator[Served]:
    """Start a server in a process of its own, and be sure that it ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("TOOLWRIGHT_")},
    )
    with process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield Served(process, ready["address"], ready["owner"])
        finally:
            process.kill()


@pytest.mark.slow
def test_a_signal_lets_what_was_taken_finish(engine: Engine, tmp_path: Path) -> None:
    """An endless batch ends with what did not run named; the server ends with 0 and leaves no container."""
    seen: list[BatchAnswer] = []
    with served_in(tmp_path) as served, Client(served.address) as client:
        answers = client.execute_batch(call(number, "nap") for number in itertools.count())
        seen.append(next(answers))
        served.process.send_signal(signal.SIGTERM)
        with pytest.raises(SandboxUnavailable, match="without an answer did not run") as caught:
            seen.extend(answers)
        rest, _ = served.process.communicate(timeout=40)
    assert (served.process.returncode, rest) == (0, "ended\n")
    assert {answer.execution.outcome.status for answer in seen if answer.execution} == {Status.SUCCESS}
    assert {answer.request_id for answer in seen}.isdisjoint(caught.value.unanswered)
    assert caught.value.unanswered
    assert engine.client.containers.list(all=True, filters={"label": f"{LABEL_OWNER}={served.owner}"}) == []
