"""The whole server on a real engine: starts typed or not at all, serves, ends with no container left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from toolwright import errors
from toolwright.client import Client
from toolwright.domain.events import Made
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.errors import EngineUnavailable, ImageMissing, InvalidInput, NotReady, SandboxUnavailable
from toolwright.registry.testing import sample_task
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import LABEL_OWNER
from toolwright.server import open_server
from toolwright.settings import Settings

ADD = ToolSource("def add(a: int, b: int) -> int:\n    return a + b\n", "add")
SLEEP = ToolSource("import time\n\ndef nap(s: float) -> str:\n    time.sleep(s)\n    return 'woke'\n", "nap")


def settings_in(directory: Path, **changes: Any) -> Settings:
    """Return settings whose state is in `directory`; nothing of the environment but the engine takes part."""
    given: dict[str, Any] = {"state_dir": directory, "sandbox": {"pool": {"min_ready": 1, "max_containers": 2}}}
    return Settings(**given | changes)


def containers_of(engine: Engine, label: str) -> list[Any]:
    """Return the containers of one server process."""
    return list(engine.client.containers.list(all=True, filters={"label": f"{LABEL_OWNER}={label}"}))


def test_a_call_goes_all_the_way(engine: Engine, tmp_path: Path) -> None:
    """Source in, exact result out, with provenance; health says SERVING."""
    with open_server(settings_in(tmp_path), address="127.0.0.1:0") as server, Client(server.address) as client:
        assert client.healthy()
        execution = client.execute(ADD, {"a": 10**50, "b": 1})

    assert execution.outcome.status is Status.SUCCESS
    assert execution.outcome.result_json == str(10**50 + 1)
    assert execution.provenance.runtime == "runc"
    assert execution.provenance.image_digest.startswith("sha256:")
    assert (tmp_path / "registry.db").is_file()


def test_an_own_server_is_private(engine: Engine, tmp_path: Path) -> None:
    """Without an address it listens where this user alone can reach it, and the place is gone afterwards."""
    with open_server(settings_in(tmp_path)) as server:
        path = Path(server.address.removeprefix("unix:"))
        assert path.parent.stat().st_mode & 0o777 == 0o700
        with Client(server.address) as client:
            assert client.execute(ADD, {"a": 1, "b": 2}).outcome.result_json == "3"
    assert not path.parent.exists()


def test_models_are_asked_for_only_where_needed(engine: Engine, tmp_path: Path) -> None:
    """Calls need none; making and solving without one say which setting is missing."""
    with open_server(settings_in(tmp_path)) as server, Client(server.address) as client:
        with pytest.raises(NotReady, match=r"set models\.maker\.model"):
            list(client.make(sample_task()))
        with pytest.raises(NotReady, match=r"set models\.user\.model"):
            client.ask("What is 1 + 2?")
        with pytest.raises(NotReady, match=r"set models\.user\.model"):
            client.register(sample_task(), ADD)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"docker_host": "tcp://127.0.0.1:1"}, EngineUnavailable),
        ({"sandbox": {"image": "sha256:" + "0" * 64}}, ImageMissing),
        ({"sandbox": {"image": "toolwright-sandbox-nonesuch"}}, InvalidInput),
        ({"sandbox": {"runtime": "nonesuch"}}, SandboxUnavailable),
        ({"sandbox": {"pool": {"memory_share": 1e-9}}}, InvalidInput),
        ({"store_url": "nonesuch://"}, errors.ToolwrightError),
    ],
)
def test_what_is_missing_stops_the_start(
    engine: Engine, tmp_path: Path, changes: Mapping[str, Any], fault: type[Exception]
) -> None:
    """A typed fault before anything listens, and no fall-back."""
    address = f"unix:{tmp_path}/s.sock"
    with pytest.raises(fault), open_server(settings_in(tmp_path, **changes), address=address):
        pytest.fail("it must not serve")
    assert not (tmp_path / "s.sock").exists()


def test_a_public_address_is_refused(engine: Engine, tmp_path: Path) -> None:
    """Also where the address does not come from settings."""
    with pytest.raises(InvalidInput, match="not a loopback"), open_server(settings_in(tmp_path), address="0.0.0.0:0"):
        pytest.fail("it must not serve")


def test_a_caller_that_goes_away_frees_its_place(engine: Engine, tmp_path: Path) -> None:
    """The tool is killed: with one container only, the next call does not wait for the first one's end."""
    one = {"sandbox": {"pool": {"min_ready": 1, "max_containers": 1}}}
    with open_server(settings_in(tmp_path, **one)) as server, Client(server.address) as client:
        with pytest.raises(errors.DeadlineExceeded):
            client.execute(SLEEP, {"s": 9}, timeout_s=1)
        started = time.monotonic()
        assert client.execute(ADD, {"a": 1, "b": 2}).outcome.result_json == "3"
        assert time.monotonic() - started < 5


SERVE = """
import json, sys
from toolwright.sandbox.owner import owner_label
from toolwright.server import open_server
from toolwright.settings import Settings

with open_server(Settings(state_dir=sys.argv[1]), address="127.0.0.1:0") as server:
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

    def ends(self) -> tuple[int, str]:
        """Wait for the end; return exit status and what was still written."""
        rest, _ = self.process.communicate(timeout=40)
        return self.process.returncode, rest


@contextmanager
def served_in(directory: Path) -> Iterator[Served]:
    """Start a server in a process of its own, and be sure that it ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(directory)],
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_calls_finish(engine: Engine, tmp_path: Path, number: int) -> None:
    """The call that runs ends well, then the process ends, and no container is left."""
    results: list[str | None] = []

    def nap() -> None:
        results.append(client.execute(SLEEP, {"s": 1.5}).outcome.result_json)

    with served_in(tmp_path) as served, Client(served.address) as client:
        client.execute(SLEEP, {"s": 0})
        caller = threading.Thread(target=nap)
        caller.start()
        time.sleep(0.5)
        served.process.send_signal(number)
        caller.join(20)
        status, rest = served.ends()

    assert results == ['"woke"']
    assert (status, rest) == (0, "ended\n")
    assert containers_of(engine, served.owner) == []


@pytest.mark.slow
def test_a_second_signal_is_faster(engine: Engine, tmp_path: Path) -> None:
    """It kills what runs, and still leaves no container."""
    faults: list[Exception] = []

    def nap() -> None:
        try:
            client.execute(SLEEP, {"s": 9})
        except errors.ToolwrightError as fault:
            faults.append(fault)

    with served_in(tmp_path) as served, Client(served.address) as client:
        client.execute(SLEEP, {"s": 0})
        caller = threading.Thread(target=nap)
        caller.start()
        time.sleep(0.5)
        started = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        served.process.send_signal(signal.SIGTERM)
        status, rest = served.ends()
        taken = time.monotonic() - started
        caller.join(20)

    assert taken < 7
    assert (status, rest) == (0, "ended\n")
    assert len(faults) == 1
    assert containers_of(engine, served.owner) == []


def test_a_killed_server_leaves_what_the_next_one_sweeps(engine: Engine, tmp_path: Path) -> None:
    """After SIGKILL nothing can tidy up; the next server's start does."""
    with served_in(tmp_path) as served, Client(served.address) as killed:
        killed.execute(ADD, {"a": 1, "b": 2})
        served.process.kill()
    with open_server(settings_in(tmp_path)) as server, Client(server.address) as client:
        assert client.execute(ADD, {"a": 1, "b": 2}).outcome.result_json == "3"
        assert containers_of(engine, served.owner) == []


def test_offline_models_make_and_answer(engine: Engine, tmp_path: Path) -> None:
    """The whole road with the offline model: a tool is made, kept over a restart, and answers a new question."""
    lines = (resources.files("toolwright.cli") / "demo_tasks/sort_words.jsonl").read_text().splitlines()
    examples = [Example(**json.loads(line)) for line in lines]
    task = Task("sort_words", "Sort words.", tuple(examples[:5]), tuple(examples[5:10]), AnswerKind.TEXT)
    settings = settings_in(tmp_path, models={"offline": True})

    with open_server(settings) as server, Client(server.address) as client:
        events = list(client.make(task))
    with open_server(settings) as server, Client(server.address) as client:
        tools = list(client.list_tools())
        details = client.get_tool("sort_words")
        answered = client.ask(examples[11].question)

    made = events[-1]
    assert isinstance(made, Made)
    assert tools == [made.tool] == [details.info]
    assert details.verification.passed
    assert answered.answer == examples[11].answer
    assert answered.tool == "sort_words@1"
    assert {use.model for use in answered.token_use} == {"offline-user", "offline-dispatcher"}
