"""What `toolwright costs` prints, against what the endpoint itself counted.

Real parts throughout: the installed command, the real SDK over HTTP, real containers, a registry on disk.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.e2e.conftest import Command
from toolwright.cli import demo_set
from toolwright.cli.rendering import dollars
from toolwright.domain.record import Role
from toolwright.llm.base import Message
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.ledger import LedgerModel, Meter, new_request_id
from toolwright.llm.offline.request import read_request
from toolwright.llm.offline.script import Script
from toolwright.llm.offline.server import completion
from toolwright.llm.openai_model import OpenAIModel
from toolwright.llm.prices import load_prices
from toolwright.llm.testing import ChatEndpoint, Received
from toolwright.registry.open import open_store

pytestmark = pytest.mark.e2e

TASK = Path(demo_set.__file__).parent / "demo_tasks" / "sort_words.jsonl"
QUESTIONS = (
    "Put these words into alphabetical order: pear apple fig",
    "Put these words into alphabetical order: zinc iron gold lead",
    "Put these words into alphabetical order: b a",
)
USD_PER_TOKEN = {"maker": (30e-6, 60e-6), "strong": (30e-6, 60e-6), "user": (2e-6, 2e-6), "dispatcher": (2e-6, 2e-6)}


class Counted:
    """What the requests that an endpoint got took, counted anew from what it was sent."""

    def __init__(self, requests: Iterable[Received]) -> None:
        """Count `requests`."""
        self.tokens: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        self.usd = 0.0
        for received in requests:
            request = read_request(json.dumps(received.body).encode())
            usage = completion(request, Script().reply(request))["usage"]
            role = str(received.body["model"]).removeprefix("offline-")
            sent, got = usage["prompt_tokens"], usage["completion_tokens"]
            self.tokens[role] = [so_far + new for so_far, new in zip(self.tokens[role], (1, sent, got), strict=True)]
            self.usd += sent * USD_PER_TOKEN[role][0] + got * USD_PER_TOKEN[role][1]


def strong_answer(endpoint: ChatEndpoint, registry: Path, question: str) -> None:
    """Have the strong model answer a question of the kind, and keep what that took."""
    with closing(open_store(registry)) as store:
        meter = Meter(forward=store.ledger.add, tenant="default", request_id=new_request_id())
        model = OpenAIModel(Endpoint(endpoint.base_url), "offline-strong")
        with closing(model):
            metered = LedgerModel(model, Role.STRONG, "using", load_prices(), meter.record)
            metered.complete([Message("user", question)], task="sort_words")


@pytest.mark.slow
def test_costs_are_what_the_endpoint_counted(toolwright: Command, chat_endpoint: ChatEndpoint, tmp_path: Path) -> None:
    """Sums by role, the tool's account and the curve's end are those of the requests, to the token and the dollar."""
    state = ("--state-dir", tmp_path / "state")
    models: dict[str, str] = {"TOOLWRIGHT_MODELS__DEFAULT__BASE_URL": chat_endpoint.base_url}
    models |= {
        f"TOOLWRIGHT_MODELS__{role}__MODEL": f"offline-{role.lower()}" for role in ("MAKER", "USER", "DISPATCHER")
    }
    assert toolwright("make", TASK, *state, **models).returncode == 0
    making = Counted(chat_endpoint.requests)
    before = len(chat_endpoint.requests)
    for question in QUESTIONS:
        assert toolwright("ask", question, *state, **models).returncode == 0
    using = Counted(chat_endpoint.requests[before:])
    before = len(chat_endpoint.requests)
    for question in QUESTIONS[:2]:
        strong_answer(chat_endpoint, tmp_path / "state" / "registry.db", question)
    strong = Counted(chat_endpoint.requests[before:])
    all_of_it = Counted(chat_endpoint.requests)

    ran = toolwright("costs", "--by", "role", *state, "--svg", "curve.svg", "--json", **models)
    document: dict[str, Any] = json.loads(ran.stdout)

    assert ran.returncode == 0, ran.stderr
    rows = {row["role"]: [row["calls"], row["prompt_tokens"], row["completion_tokens"]] for row in document["rows"]}
    assert rows == dict(all_of_it.tokens)
    assert set(rows) == {"maker", "user", "dispatcher", "strong"}
    assert document["total"]["cost_usd"] == pytest.approx(all_of_it.usd, abs=1e-11)
    (account,) = document["break_even"]
    assert account["making_usd"] == pytest.approx(making.usd, abs=1e-11)
    assert (account["questions"], account["strong_questions"], account["assumed"]) == (3, 2, False)
    assert account["light_usd"] == pytest.approx(using.usd / 3, abs=1e-11)
    assert account["strong_usd"] == pytest.approx(strong.usd / 2, abs=1e-11)
    end = document["curve"]["points"][-1]
    assert end["questions"] == 5
    assert end["with_tools_usd"] == pytest.approx(all_of_it.usd, abs=1e-11)
    assert end["strong_usd"] == pytest.approx(5 * strong.usd / 2, abs=1e-11)
    ET.parse(tmp_path / "curve.svg")  # noqa: S314 - our own picture

    told = toolwright("costs", *state, **models).stdout
    assert dollars(all_of_it.usd) in told
    assert dollars(making.usd) in told
    assert "offline-maker (illustrative, as of 2023-05)" in told
