"""The whole road of one tool: from questions that no tool fits to the version that was made of its failures."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from toolwright.client import Client
from toolwright.domain.cost_report import CostQuestion
from toolwright.domain.events import Answered
from toolwright.domain.gates import GateName
from toolwright.domain.job import JobState
from toolwright.domain.lifecycle import EventKind
from toolwright.domain.miss import GroupState
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.domain.tool import ToolState
from toolwright.errors import NotReady
from toolwright.registry.signing import Signer
from toolwright.server import open_server
from toolwright.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("policy")]

WORDS = ("pear", "plum", "fig", "kiwi", "date", "lime", "melon", "mango", "grape", "peach", "quince", "cherry", "guava")
NAME, USER = "word_sorting", "z_sort_again"
USER_CODE = f'''from tools import {NAME}


def {USER}(words: list[str]) -> str:
    """Sort words alphabetically, whatever order they come in.

    Args:
        words: the words in any order.
    """
    return {NAME}(list(reversed(words)))
'''


def questions() -> Iterator[Example]:
    """Give questions of one kind, each once, with their answers."""
    pick = random.Random(5)
    for number in range(1_000):
        words = pick.sample([*pick.sample(WORDS, 7), "marble", "marblf"], 9)  # the first proposal mistakes the last two
        yield Example(f"q{number}", f"Sort the words alphabetically: List: {' '.join(words)}", " ".join(sorted(words)))


def eventually(holds: Callable[[], bool], *, within_s: float = 60.0) -> bool:
    """Wait until something holds, and return whether it did."""
    end = time.monotonic() + within_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def settings_in(directory: Path) -> Settings:
    """Return settings in which the strong model answers what no tool does, and two wrong answers hold a tool back."""
    given: dict[str, Any] = {
        "state_dir": directory,
        "sandbox": {"pool": {"min_ready": 1, "max_containers": 3}},
        "models": {"offline": True},
        "dispatch": {"answer_misses": "strong", "examples": 6},
        "feedback": {"wrong": {"min_count": 2}, "remake_cool_down_s": 0},
    }
    return Settings(**given)


def active(client: Client) -> dict[str, int]:
    """Return the newest version of each name, of those that are active."""
    return {tool.name: tool.number for tool in client.list_tools() if tool.state is ToolState.ACTIVE}


@pytest.mark.timeout(120)
def test_the_whole_road_of_a_tool(tmp_path: Path) -> None:
    """Misses, a making, the gates, calls, a user, reports, a quarantine, and a new version of which the user is made."""
    ask = questions()
    with open_server(settings_in(tmp_path)) as server, Client(server.address) as client:
        # Questions that no tool fits are answered by the strong model, until a tool is made of them.
        asked = [next(ask) for _ in range(6)]
        for example in asked:
            answer = client.ask(example.question)
            assert (answer.answer, answer.tool) == (example.answer, "")
        assert eventually(lambda: active(client) == {NAME: 1})
        assert eventually(lambda: [group.state for group in client.miss_groups()] == [GroupState.MADE])
        (making,) = client.list_makings()
        assert (making.task, making.kind, making.state) == (NAME, "online", JobState.DONE)

        # It passed all gates; its record is signed by this server, its limits are its own, its history says who.
        first = client.get_tool(NAME)
        record = first.verification
        assert record is not None
        assert [gate.gate for gate in record.gates] == list(GateName)
        assert all(gate.passed for gate in record.gates)
        assert record.key_id == Signer.open(tmp_path / "signing.key").public.key_id
        assert first.info.limits == record.limits is not None
        (admitted,) = client.list_tool_events(NAME)
        assert (admitted.kind, admitted.actor) == (EventKind.ADMITTED, "maker:offline-maker")

        # The next question is a hit, under the tool's limits and on that record; once known, it is given out again.
        example = next(ask)
        answer = client.ask(example.question)
        assert (answer.answer, answer.tool) == (example.answer, f"{NAME}@1")
        words = {"words": ["b", "a"]}
        ran, known = client.execute(NAME, words), client.execute(NAME, words)
        assert (ran.from_cache, known.from_cache, known.result) == (False, True, "a b")
        assert known.provenance.computed_by == ran.execution_id
        assert ran.provenance.verification_id == record.verification_id
        assert ran.limits.wall_time_s == record.limits.wall_time_s

        # What it cost is measured: its making, each question with it, and each by the strong model.
        report = client.get_costs(CostQuestion())
        (account,) = report.break_evens
        assert (account.task, account.questions, account.strong_questions) == (NAME, 1, 6)
        assert account.making_usd > 0
        assert account.strong_usd is not None
        assert not account.assumed
        assert account.after is not None
        assert report.hit_rates is not None
        assert (report.hit_rates.solves, report.hit_rates.by_tool, report.hit_rates.cached) == (7, 1, 1)

        # A person's tool is made from it, through the same gates.
        shown = [next(ask) for _ in range(6)]
        task = Task(USER, "Sort words.", tuple(shown[:3]), tuple(shown[3:]), AnswerKind.TEXT, uses=(NAME,))
        user = client.register(task, ToolSource(USER_CODE, USER), actor="ann")
        assert client.execute(USER, words).result == "a b"
        assert client.get_tool(NAME).dependants == (user.reference,)

        # Reported as wrong, it is held back with its user, and made anew of the failures as a job.
        for example in (next(ask), next(ask)):
            answer = client.ask(example.question, tool=NAME)
            assert client.report(answer.execution_id, correct=False, answer=example.answer, actor="bob")
        assert eventually(lambda: client.get_tool(f"{NAME}@1").info.state is ToolState.QUARANTINED)
        for name in (f"{NAME}@1", USER):
            with pytest.raises(NotReady, match=f"{NAME}@1.* is quarantined"):
                client.execute(name, words)
        assert eventually(lambda: active(client).get(NAME) == 2)
        remade = next(client.list_makings(task=NAME))
        assert (remade.kind, remade.tool_digest) == ("remake", client.get_tool(NAME).info.digest)

        # The new version answers, and nothing of what was known of the old one is given out for it.
        anew = client.execute(NAME, words)
        assert (anew.from_cache, anew.result) == (False, "a b")
        last = list(client.solve(next(ask).question))[-1]
        assert isinstance(last, Answered)
        assert last.tool == f"{NAME}@2"

        # Verified again, the user is made from it.
        verdict = client.verify(user.reference, actor="ann")
        assert (verdict.passed, verdict.tool.reference) == (True, f"{USER}@2")
        assert verdict.tool.dependencies[0].digest == client.get_tool(NAME).info.digest
        assert client.execute(USER, words).result == "a b"
        assert client.get_tool(user.reference).info.state is ToolState.RETIRED
