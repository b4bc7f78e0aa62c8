"""Makings as jobs, with a real server in a process of its own, a real sandbox, and models that wait."""

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
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from toolwright.client import Client
from toolwright.domain.events import Made, MakingEvent, NotMade, Proposed, Rejected, Resumed, Started
from toolwright.domain.job import Budget, JobState
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.llm.testing import ChatEndpoint, Hang, Received, Wait, completion
from toolwright.sandbox.engine import Engine
from toolwright.server import open_server
from toolwright.settings import Settings

MAKER = "offline-maker"
SERVE = """
import json, sys
from toolwright.server import open_server
from toolwright.settings import Settings

with open_server(Settings(**json.loads(sys.argv[1])), address=sys.argv[2] or None) as server:
    print(server.address, flush=True)
    server.wait()
"""

RIGHT = '''```python
def sort_words(words: list[str]) -> str:
    """Sort words alphabetically.

    Args:
        words: the words in any order.
    """
    return " ".join(sorted(words, key=lambda word: (word.lower(), word)))
```'''
SLOW = RIGHT.replace("    return ", "    import time; time.sleep(0.3)\n    return ")
WRONG = RIGHT.replace("sorted(words, key=lambda word: (word.lower(), word))", "words")


@pytest.fixture(scope="module")
def task() -> Task:
    """Sorting words, of which the offline maker's first proposal is wrong and its second right."""
    lines = (resources.files("toolwright.cli") / "demo_tasks/sort_words.jsonl").read_text().splitlines()
    examples = [Example(**json.loads(line)) for line in lines]
    return Task("sort_words", "Sort words.", tuple(examples[:5]), tuple(examples[5:10]), AnswerKind.TEXT)


def settings_for(directory: Path, endpoint: ChatEndpoint, **making: Any) -> dict[str, Any]:
    """Return settings of a server whose models answer at `endpoint`."""
    roles = {role: {"model": f"offline-{role}"} for role in ("maker", "user", "dispatcher")}
    shared = {"base_url": endpoint.base_url, "max_retries": 0, "timeout_s": 20}
    return {
        "state_dir": str(directory),
        "sandbox": {"pool": {"min_ready": 1, "max_containers": 2}},
        "models": {"default": shared, **roles},
        "making": {"lease_s": 1, **making},
    }


@contextmanager
def serving(directory: Path, endpoint: ChatEndpoint, **making: Any) -> Iterator[Client]:
    """Serve in this process."""
    settings = Settings(**settings_for(directory, endpoint, **making))
    with open_server(settings) as server, Client(server.address) as client:
        yield client


@contextmanager
def served(settings: Mapping[str, Any], listen: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve in a process of its own, for all if it is to `listen`; killed at the latest at the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOOLWRIGHT_")}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, json.dumps(settings), listen], stdout=subprocess.PIPE, text=True, env=environment
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def asked(endpoint: ChatEndpoint) -> list[Received]:
    """Return what the maker was asked."""
    return [request for request in endpoint.requests if request.body.get("model") == MAKER]


def wait_for(endpoint: ChatEndpoint, number: int) -> None:
    """Wait until the maker was asked so many times."""
    give_up = time.monotonic() + 30
    while len(asked(endpoint)) < number:
        assert time.monotonic() < give_up, "the maker was not asked"
        time.sleep(0.02)


def id_of(events: Iterator[MakingEvent]) -> str:
    """Return the id that the first event gives."""
    first = next(events)
    assert isinstance(first, Started)
    return first.making_id


@pytest.mark.parametrize("listen", ["", pytest.param("127.0.0.1:0", marks=pytest.mark.slow)])
def test_a_killed_servers_making_is_finished_by_the_next(
    engine: Engine, tmp_path: Path, chat_endpoint: ChatEndpoint, task: Task, listen: str
) -> None:
    """Kill -9 while the maker thinks about its second proposal: it is asked for that again, and never for the first."""
    chat_endpoint.will(Wait(0), Hang(), Wait(1.0), model=MAKER)
    with served(settings_for(tmp_path, chat_endpoint)) as (process, address), Client(address) as client:
        events = client.make(task)
        making_id = id_of(events)
        before = [next(events) for _ in range(3)]
        wait_for(chat_endpoint, 2)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert isinstance(before[0], Proposed)

    with served(settings_for(tmp_path, chat_endpoint), listen) as (_, address), Client(address) as client:
        seen = list(client.follow_making(making_id))
        info, attempts = client.get_making(making_id).info, client.get_making(making_id).attempts
        answered = client.ask(task.held_out[0].question)

    made = seen[-1]
    assert isinstance(made, Made)
    assert (info.state, info.starts, info.tool_digest) == (JobState.DONE, 2, made.tool.digest)
    assert Resumed(2, 1) in seen
    first, second, third = asked(chat_endpoint)
    assert len(first.body["messages"]) == 2
    assert len(second.body["messages"]) == 4
    assert third.body["messages"] == second.body["messages"], "the chat goes on where it was"
    assert [attempt.accepted for attempt in attempts] == [False, False, True]
    assert attempts[1].verdict.startswith("lost: ")
    assert answered.answer == task.held_out[0].answer


def test_cancelling_a_making(engine: Engine, tmp_path: Path, chat_endpoint: ChatEndpoint, task: Task) -> None:
    """It ends with the exchange that is under way: the reader is told, nothing is kept but the record."""
    chat_endpoint.will(Wait(1.0), model=MAKER)
    with serving(tmp_path, chat_endpoint) as client:
        events = client.make(task)
        making_id = id_of(events)
        wait_for(chat_endpoint, 1)
        started = time.monotonic()
        client.cancel_making(making_id, reason="too dear")
        end = list(events)[-1]
        assert time.monotonic() - started < 5
        assert isinstance(end, NotMade)
        assert (end.reason, end.ended_by) == ("too dear", "cancelled")
        assert client.get_making(making_id).info.state is JobState.CANCELLED
        assert list(client.list_tools()) == []
    assert len(asked(chat_endpoint)) == 1


@pytest.mark.slow
def test_two_clients_have_one_making(engine: Engine, tmp_path: Path, chat_endpoint: ChatEndpoint, task: Task) -> None:
    """Both see all of it, and the maker is paid once; one that goes away changes nothing for the other."""
    chat_endpoint.will(Wait(0), Wait(1.0), model=MAKER)
    results: list[list[MakingEvent]] = []
    with serving(tmp_path, chat_endpoint) as client:
        threads = [threading.Thread(target=lambda: results.append(list(client.make(task)))) for _ in range(2)]
        for thread in threads:
            thread.start()
        gone = client.make(task)
        next(gone)
        gone.close()  # type: ignore[attr-defined]  # a generator
        for thread in threads:
            thread.join(60)
        assert len(list(client.list_makings())) == 1
    one, two = results
    assert all(isinstance(events[0], Started) for events in results)
    assert one[1:] == two[1:]
    assert isinstance(one[-1], Made)
    assert len(asked(chat_endpoint)) == 2


def test_a_maker_that_never_gets_there_is_ended_by_its_budget(
    engine: Engine, tmp_path: Path, chat_endpoint: ChatEndpoint, task: Task
) -> None:
    """Each budget ends it with a clear report, and nothing is admitted."""
    usage = {"prompt_tokens": 500, "completion_tokens": 100}
    chat_endpoint.will(Wait(0.3, completion(WRONG, usage=usage)), model=MAKER)
    prices = tmp_path / "prices.toml"
    prices.write_text('[models."offline-maker"]\ninput = 1000\noutput = 1000\n', encoding="utf-8")
    settings = Settings(**settings_for(tmp_path, chat_endpoint, max_tokens=50_000), prices_file=prices)
    with open_server(settings) as server, Client(server.address) as client:
        ends = {
            end.ended_by: end
            for budget in (Budget(2), Budget(10, 2000), Budget(10, 0, 1.0), Budget(10, 0, 0.0, 3.0))
            if isinstance(end := list(client.make(task, budget=budget))[-1], NotMade)
        }
        assert list(client.list_tools()) == []
        spent = {making.budget.attempts: making.spent for making in client.list_makings()}
    assert set(ends) == {"attempts", "tokens", "money", "seconds"}
    for words, end in (
        ("none of 2 attempts passed: the budget of 2 attempts is spent", ends["attempts"]),
        ("the budget of 2000 tokens is spent", ends["tokens"]),
        ("the budget of $1 is spent", ends["money"]),
        ("the budget of 3 s is spent", ends["seconds"]),
    ):
        assert words in end.reason
        assert "The right answer:" in end.reason, "the last refusal is told"
    assert spent[2].attempts == 2
    assert spent[2].cost_usd >= 1.2


@pytest.mark.slow
def test_the_better_of_three_candidates(
    engine: Engine, tmp_path: Path, chat_endpoint: ChatEndpoint, task: Task
) -> None:
    """A slow right one, a wrong one and a short right one, at one time: the quick one is kept."""
    chat_endpoint.will(completion(SLOW), completion(WRONG), completion(RIGHT), model=MAKER)
    with serving(tmp_path, chat_endpoint) as client:
        events = list(client.make(task, attempts=3, candidates=3))
        details = client.get_tool("sort_words")
    assert isinstance(events[-1], Made)
    assert len([event for event in events if isinstance(event, Rejected)]) == 1
    assert "sleep" not in details.source.code
    assert len(asked(chat_endpoint)) == 3


@pytest.mark.slow
def test_a_tool_that_does_the_same_is_merged(
    engine: Engine, tmp_path: Path, chat_endpoint: ChatEndpoint, task: Task
) -> None:
    """Another task, the same work: its name leads to the tool that is there, and calls by it run that."""
    chat_endpoint.will(completion(RIGHT), completion(RIGHT.replace("def sort_words", "def order_words")), model=MAKER)
    other = Task("order_words", "Order words.", task.held_out, task.training, AnswerKind.TEXT)
    with serving(tmp_path, chat_endpoint) as client:
        assert isinstance(list(client.make(task))[-1], Made)
        merged = list(client.make(other))[-1]
        execution = client.execute("order_words", {"words": ["b", "a"]})
        details = client.get_tool("sort_words")
        tools = [tool.reference for tool in client.list_tools()]
    assert isinstance(merged, Made)
    assert merged.merged
    assert merged.tool == details.info
    assert tools == ["sort_words@1"]
    assert details.synonyms == ("order_words",)
    assert execution.outcome.result_json == '"a b"'
    assert execution.provenance.tool_digest == details.info.digest
