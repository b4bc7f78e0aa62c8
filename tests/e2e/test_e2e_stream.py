"""A mixed stream of questions from an empty registry: tools appear by themselves, and nothing is lost by a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import COMMAND
from toolwright.client import Client
from toolwright.domain.miss import GroupState
from toolwright.llm.offline.tasks import TASKS, script_for

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("policy")]

NAMES = ("Ada", "Bao", "Cleo", "Dag", "Eva")
WORDS = ("pear", "plum", "fig", "kiwi", "date", "lime", "melon", "mango", "grape", "peach", "quince", "cherry", "guava")
ORDER = """Five hats hang in a row: a {0} hat, a {1} hat, a {2} hat, a {3} hat and a {4} hat. The {0} hat hangs to the \
left of the {1} hat. The {1} hat hangs to the left of the {2} hat. The {2} hat hangs to the left of the {3} hat. \
The {3} hat hangs to the left of the {4} hat. Which of these must be true?
(A) The {5} hat is the leftmost
(B) The {6} hat is the leftmost
(C) The {7} hat is the leftmost
(D) The {8} hat is the leftmost
(E) The {9} hat is the leftmost"""
SWAPS = """Ada, Bao, Cleo, Dag and Eva each hold a ball: Ada has a red ball, Bao has a blue ball, Cleo has a green \
ball, Dag has a white ball and Eva has a black ball. Then they swap balls. First, {0} and {1} swap balls. \
Then, {2} and {3} swap balls. Finally, {1} and {4} swap balls. At the end, {0} has the
(A) red ball
(B) blue ball
(C) green ball
(D) white ball
(E) black ball"""
COLOURS = ("red", "blue", "green", "white", "black", "yellow", "brown")


def question_of(kind: str, pick: random.Random) -> str:
    """Return a question of a kind that the offline model knows."""
    match kind:
        case "word_sorting":
            return f"Sort the following words alphabetically: List: {' '.join(pick.sample(WORDS, 8))} marble marblf"
        case "dyck_languages":
            opened = "".join(pick.choice("([{<") for _ in range(7))
            return f"Complete the rest of the sequence of brackets, so that all are closed: < {' '.join(opened)}"
        case "chinese_remainder_theorem":
            total = pick.randint(20, 900)
            parts = "; ".join(f"in rows of {m}, {total % m} are left over" for m in (7, 11, 13))
            return f"A potter keeps at most 990 tiles. Laid out {parts}. How many tiles does she keep?"
        case "schedule_meeting":
            start, names = pick.randint(8, 14), pick.sample(NAMES, 2)
            return (
                f"{names[0]} and {names[1]} want to meet for 30 minutes.\n"
                f"{names[0]} is free {start:02}:00 - {start + 2:02}:00, 17:00 - 18:00\n"
                f"{names[1]} is free {start + 1:02}:00 - {start + 3:02}:00, 17:15 - 18:00\n"
                "Which time slot is the earliest that suits all? If there is none, answer: No time slot works."
            )
        case "logical_deduction_five_objects":
            colours = pick.sample(COLOURS, 5)
            return ORDER.format(*colours, *pick.sample(colours, 5))
        case _:
            return SWAPS.format(*pick.sample(NAMES, 5))


def write_questions(directory: Path, each: int) -> list[Path]:
    """Write a file of questions for each kind, with the answers that the scripts know, and return their paths."""
    pick, paths = random.Random(3), []
    for script in TASKS:
        lines: dict[str, str] = {}
        while len(lines) < each:
            question = question_of(script.kind, pick)
            found = script_for(question)
            assert found is script, question
            assert script.answer(question), question
            number = len(lines)
            lines.setdefault(
                question, json.dumps({"id": f"{number}", "question": question, "answer": script.answer(question)})
            )
        path = directory / f"{script.kind}.jsonl"
        path.write_text("\n".join(lines.values()) + "\n")
        paths.append(path)
    return paths


class Machine:
    """A server of its own, which can be killed and started again, and streams of questions to it."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory, self.environment = directory, dict(environment)
        self.address = f"unix:{directory}/server.sock"
        self.server: subprocess.Popen[bytes] | None = None

    def start(self, examples: int) -> None:
        changes = {"ANSWER_MISSES": "strong", "EXAMPLES": str(examples)}
        settings = {f"TOOLWRIGHT_DISPATCH__{name}": value for name, value in changes.items()}
        settings |= {"TOOLWRIGHT_LISTEN": self.address, "TOOLWRIGHT_STATE_DIR": str(self.directory / "state")}
        command = [sys.executable, str(COMMAND), "serve", "--offline"]
        with (self.directory / "server.log").open("ab") as log:
            self.server = subprocess.Popen(command, stdout=log, stderr=log, env={**self.environment, **settings})
        end = time.monotonic() + 60
        with Client(self.address) as client:
            while not client.healthy():
                assert self.server.poll() is None, (self.directory / "server.log").read_text()[-3000:]
                assert time.monotonic() < end
                time.sleep(0.1)

    def kill(self, number: int = signal.SIGKILL) -> None:
        assert self.server is not None
        self.server.send_signal(number)
        self.server.wait(60)

    def stream(self, *paths: Path) -> subprocess.Popen[str]:
        command = [sys.executable, str(COMMAND), "eval", "--stream", *map(str, paths), "--json", "--seed", "2"]
        command += ["--server", self.address, "--resume", str(self.progress)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )

    @property
    def progress(self) -> Path:
        return self.directory / "progress.jsonl"

    def wait_for_replies(self, count: int, stream: subprocess.Popen[str]) -> None:
        end = time.monotonic() + 200
        while not self.progress.exists() or len(self.progress.read_text().splitlines()) <= count:
            assert stream.poll() is None, stream.communicate()
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture
def machine(tmp_path: Path, environment: dict[str, str]) -> Iterator[Machine]:
    """Give a machine without a server, which is ended with the test."""
    at = Machine(tmp_path, {**environment, "PYTHONPATH": os.environ.get("PYTHONPATH", "")})
    yield at
    if at.server is not None and at.server.poll() is None:
        at.kill(signal.SIGTERM)


def streamed_with_a_kill(machine: Machine, paths: list[Path], *, kill_after: int, examples: int) -> dict[str, Any]:
    """Run the stream, kill the server in the middle, go on, and return the report of the whole."""
    machine.start(examples)
    first = machine.stream(*paths)
    machine.wait_for_replies(kill_after, first)
    with Client(machine.address) as client:
        before = {tool.reference: tool.digest for tool in client.list_tools()}
        answered = sum(group.answered for group in client.miss_groups())
    machine.kill()
    first.communicate(timeout=60)
    assert first.returncode == 3
    machine.start(examples)
    with Client(machine.address) as client:
        assert before.items() <= {tool.reference: tool.digest for tool in client.list_tools()}.items()
        assert sum(group.answered for group in client.miss_groups()) >= answered
    second = machine.stream(*paths)
    stdout, stderr = second.communicate(timeout=280)
    assert second.returncode == 0, stderr
    document: dict[str, Any] = json.loads(stdout)
    assert document["resumed"] >= kill_after
    with Client(machine.address) as client:
        tools = list(client.list_tools())
        groups = list(client.miss_groups())
    assert [tool.number for tool in tools] == [1] * 6
    assert sorted(group.tool for group in groups if group.state is GroupState.MADE) == sorted(
        tool.reference for tool in tools
    )
    return document


@pytest.mark.timeout(120)
@pytest.mark.slow
def test_tools_appear_in_a_mixed_stream_and_outlive_a_kill(machine: Machine, tmp_path: Path) -> None:
    """Six kinds, no task named: six tools, every answer right, only hits at the end, and no tool is made twice."""
    paths = write_questions(tmp_path, 16)

    document = streamed_with_a_kill(machine, paths, kill_after=45, examples=6)

    assert document["questions"] == 96
    assert document["accuracy"] == 1.0, document["wrong"]
    assert document["last_part"]["hit_rate"] == 1.0
    assert document["hits_right"] == document["hits"] > 40
    assert document["points"][-1]["tools"] == 6
    assert 0 < document["cost"]["making_usd"] < document["cost"]["total_usd"]
    assert "offline model" in document["model_note"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_public_stream(machine: Machine, public_data: Path) -> None:
    """All 1,500 public questions mixed: hits of at least 99 % at the end, and right from the first tool on."""
    paths = sorted(public_data.glob("*.jsonl"))

    document = streamed_with_a_kill(machine, paths, kill_after=150, examples=40)

    assert document["questions"] == 1_500
    assert document["last_part"]["hit_rate"] >= 0.99
    assert document["last_part"]["accuracy"] == 1.0
    assert document["hits_right"] == document["hits"]
    assert document["cost"]["total_usd"] < document["cost"]["all_strong_usd"]
    points = document["points"]
    assert [point["questions"] for point in points] == list(range(100, 1_501, 100))
    assert points[0]["tools"] < points[-1]["tools"] == 6
    assert document["hits"] > 1_000
