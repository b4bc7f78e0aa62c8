"""What becomes of a tool that does badly in use: on a real engine, over the whole road."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from toolwright.client import Client
from toolwright.domain.events import Made
from toolwright.domain.feedback import SolveEnding
from toolwright.domain.outcome import Status
from toolwright.domain.record import Check
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.domain.tool import RegisteredTool, ToolState, ToolVersion
from toolwright.errors import AlreadyExists, NotReady
from toolwright.registry.signing import Signer
from toolwright.registry.sql import SqlStore
from toolwright.registry.testing import signed_record
from toolwright.sandbox.engine import Engine
from toolwright.server import open_server
from toolwright.settings import Settings

pytestmark = pytest.mark.integration

BACKWARDS = """def sort_words(words: list[str]) -> str:
    'Sort words.'
    return ' '.join(sorted(words, reverse=True))
"""
RAISES = "def sort_words(words: list[str]) -> str:\n    raise ValueError('out of order')\n"
OLD_IMAGE = "sha256:" + "1" * 64


def settings_in(directory: Path, **feedback: Any) -> Settings:
    """Return settings with the offline models, whose state is in `directory`."""
    given: dict[str, Any] = {
        "state_dir": directory,
        "sandbox": {"pool": {"min_ready": 1, "max_containers": 2}},
        "models": {"offline": True},
        "feedback": feedback,
    }
    return Settings(**given)


def words() -> list[Example]:
    """Return the examples of the demonstration's task."""
    lines = (resources.files("toolwright.cli") / "demo_tasks/sort_words.jsonl").read_text().splitlines()
    return [Example(**json.loads(line)) for line in lines]


def task() -> Task:
    """Return the task that they show."""
    examples = words()
    return Task("sort_words", "Sort words.", tuple(examples[:5]), tuple(examples[5:10]), AnswerKind.TEXT)


def made_in(client: Client) -> str:
    """Have the tool made; return the image in which it was verified."""
    assert isinstance(list(client.make(task()))[-1], Made)
    return client.get_tool("sort_words").verification.image_digest


def kept(directory: Path) -> SqlStore:
    """Open the registry beside its server."""
    return SqlStore(f"sqlite:///{directory}/registry.db")


def admit(directory: Path, code: str, image: str, number: int) -> RegisteredTool:
    """Keep another version of the tool, as if it had passed."""
    with closing(kept(directory)) as store:
        first = store.get_tool("sort_words").version
        version = ToolVersion(
            first.name,
            ToolSource(code, "sort_words"),
            first.description,
            first.answer_kind,
            first.demonstrations,
            first.task_description,
        )
        checks = tuple(
            Check(str(held_out), held_out=held_out, status=Status.SUCCESS, passed=True, execution_id="e")
            for held_out in (False, True)
        )
        given = store.get_task("sort_words")
        signer = Signer.open(directory / "signing.key")
        record = signed_record(signer, image, version, f"v-{number}", task_digest=given.digest, checks=checks)
        return store.admit(version, record, given)


def eventually(holds: Callable[[], bool], *, within_s: float = 30.0) -> bool:
    """Wait until something holds, and return whether it did."""
    end = time.monotonic() + within_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


@pytest.mark.slow
def test_a_version_with_wrong_answers_gives_way_to_one_made_from_them(engine: Engine, tmp_path: Path) -> None:
    """Reports hold it back, the name means the version before, and then one that learned from what was reported."""
    examples = words()
    settings = settings_in(tmp_path, remake_cool_down_s=0, wrong={"min_count": 2})
    with open_server(settings) as server, Client(server.address) as client:
        bad = admit(tmp_path, BACKWARDS, made_in(client), 2)
        answers = [client.ask(example.question, tool=bad.reference) for example in examples[10:]]
        assert [answer.answer for answer in answers] != [example.answer for example in examples[10:]]
        for answer, example in zip(answers, examples[10:], strict=True):
            assert client.report(answer.execution_id, correct=False, answer=example.answer, actor="ann")
        assert not client.report(answers[0].execution_id, correct=False, answer=examples[10].answer)
        with pytest.raises(AlreadyExists):
            client.report(answers[0].execution_id, correct=True)

        assert eventually(lambda: client.get_tool("sort_words@2").info.state is ToolState.QUARANTINED)
        with pytest.raises(NotReady):
            client.execute("sort_words@2", {"words": ["b", "a"]})
        assert client.execute("sort_words", {"words": ["b", "a"]}).result == "a b"
        assert eventually(lambda: client.get_tool("sort_words").info.number == 3)
        again = client.ask(examples[10].question)
        assert (again.tool, again.answer) == ("sort_words@3", examples[10].answer)

    with closing(kept(tmp_path)) as store:
        learned = store.get_task("sort_words")
        reason = next(event.reason for event in store.lifecycle.events("sort_words") if event.actor == "policy")
        counts = store.feedback.hit_counts()
    assert learned.training[0].question == examples[11].question
    assert learned.held_out[-1].question == examples[10].question
    assert reason == "answers reported as wrong: 2 of the last 2, at most 40%"
    assert dict(counts.by_ending)[SolveEnding.HIT] == 3
    assert counts.hit_rate == 1.0


@pytest.mark.slow
def test_a_version_that_begins_to_fail_is_held_back(engine: Engine, tmp_path: Path) -> None:
    """By its calls alone; and with `report_only` nothing changes."""
    quiet = settings_in(tmp_path, action="report_only", errors={"min_count": 5}, remake=False)
    with open_server(quiet) as server, Client(server.address) as client:
        admit(tmp_path, RAISES, made_in(client), 2)
        for _ in range(8):
            assert client.execute("sort_words", {"words": ["b"]}).outcome.status is Status.TOOL_ERROR
        time.sleep(1.0)
        assert client.get_tool("sort_words").info.number == 2

    strict = settings_in(tmp_path, errors={"min_count": 5}, remake=False)
    with open_server(strict) as server, Client(server.address) as client:
        for _ in range(5):
            client.execute("sort_words@2", {"words": ["b"]})
        assert eventually(lambda: client.get_tool("sort_words").info.number == 1)
        assert client.execute("sort_words", {"words": ["b", "a"]}).result == "a b"
    with closing(kept(tmp_path)) as store:
        assert store.lifecycle.events("sort_words")[-1].reason.startswith("calls that ended without a result: 5 of")


SERVE = """
import sys
from toolwright.server import open_server
from toolwright.settings import Settings

settings = Settings(state_dir=sys.argv[1], models={"offline": True}, feedback={"action": "report_only"})
with open_server(settings) as server:
    print(server.address, flush=True)
    server.wait()
"""


def test_a_killed_server_loses_no_report(engine: Engine, tmp_path: Path) -> None:
    """What was acknowledged is kept, and the next server acts on it without another report."""
    with open_server(settings_in(tmp_path)) as server, Client(server.address) as client:
        admit(tmp_path, BACKWARDS, made_in(client), 2)
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        with Client(process.stdout.readline().strip()) as client:
            for example in words()[10:]:
                answer = client.ask(example.question, tool="sort_words@2")
                assert client.report(answer.execution_id, correct=False, answer=example.answer)
            os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()

    strict = settings_in(tmp_path, wrong={"min_count": 2}, remake=False)
    with open_server(strict) as server, Client(server.address) as client:
        assert eventually(lambda: client.get_tool("sort_words").info.number == 1)
    with closing(kept(tmp_path)) as store:
        assert len(store.feedback.failures("sort_words", limit=10)) == 2


@pytest.mark.slow
def test_what_was_verified_in_another_image_is_verified_again(engine: Engine, tmp_path: Path) -> None:
    """At start, in the background: what passes is served, what does not is held back with the evidence."""
    with open_server(settings_in(tmp_path)) as server, Client(server.address) as client:
        image = made_in(client)
        source = client.get_tool("sort_words").source
    good = admit(tmp_path, source.code + "\n# as it was verified elsewhere\n", OLD_IMAGE, 2)
    bad = admit(tmp_path, BACKWARDS, OLD_IMAGE, 3)
    with (
        open_server(settings_in(tmp_path)) as server,
        Client(server.address) as client,
        pytest.raises(NotReady, match="tools verify sort_words@2"),
    ):
        client.execute(good.reference, {"words": ["b", "a"]})

    settings = settings_in(tmp_path, remake=False)
    with open_server(settings, address="127.0.0.1:0") as server, Client(server.address) as client:
        assert eventually(lambda: client.get_tool(bad.reference).info.state is ToolState.QUARANTINED, within_s=60)
        now = client.get_tool("sort_words")
        assert now.source.code == source.code + "\n# as it was verified elsewhere\n"
        assert now.verification.image_digest == image
        assert client.execute("sort_words", {"words": ["b", "a"]}).result == "a b"
        verdict = client.verify("sort_words", actor="ann")
        assert verdict.passed
        failed = client.verify(bad.reference)
        assert not failed.passed
        assert failed.reason
        assert "docstring" not in failed.reason
    with closing(kept(tmp_path)) as store:
        (event,) = [event for event in store.lifecycle.events("sort_words") if event.to_state is ToolState.QUARANTINED]
    assert OLD_IMAGE in event.reason


def test_a_known_result_is_given_again(engine: Engine, tmp_path: Path) -> None:
    """Of a tool that its verification proved deterministic: quicker, on record, and not where it is bypassed."""
    with open_server(settings_in(tmp_path)) as server, Client(server.address) as client:
        made_in(client)
        first = client.execute("sort_words", {"words": ["b", "a"]})
        again = client.execute("sort_words", {"words": ["b", "a"]})
        bypassed = client.execute("sort_words", {"words": ["b", "a"]}, bypass_cache=True)
        asked = [client.ask(words()[10].question) for _ in range(2)]

    assert [first.from_cache, again.from_cache, bypassed.from_cache] == [False, True, False]
    assert again.provenance.computed_by == first.execution_id
    assert again.result == first.result == "a b"
    assert asked[0].answer == asked[1].answer == words()[10].answer
    with closing(kept(tmp_path)) as store:
        counts = store.feedback.hit_counts()
        assert store.get_execution(again.execution_id).computed_by == first.execution_id
        assert store.get_execution(asked[1].execution_id).computed_by == asked[0].execution_id
    assert (counts.solves, counts.hits, counts.exact_hits) == (2, 2, 2)
