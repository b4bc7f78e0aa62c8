"""The whole command against a model's endpoint that misbehaves: it tries again where that helps, else says why.

Real parts throughout: the installed command, the real SDK over HTTP, real containers, a registry on disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Command
from toolwright.llm.testing import RETRY_AT_ONCE, ChatEndpoint, FromScript, Reset, Respond, Step, completion
from toolwright.registry.open import open_store

pytestmark = pytest.mark.e2e

TASK = Path(__file__).resolve().parents[2] / "docs" / "examples" / "sort_words.toml"
MAKER, USER = "offline-maker", "offline-user"
BUSY = Respond(429, {"error": {"message": "slow down"}}, headers=RETRY_AT_ONCE)
BROKEN = Respond(500, {"error": {"message": "oops"}}, headers=RETRY_AT_ONCE)
RIGHT_CODE = """```python
def sort_words(words: list[str]) -> str:
    'Sort words.'
    return " ".join(sorted(words))
```"""


@dataclass(frozen=True)
class Run:
    """What came of one `toolwright make`."""

    status: int
    document: dict[str, Any]
    stderr: str
    attempts: list[tuple[str, bool, str]]
    """(reply, accepted, verdict) of every attempt in the registry."""
    tools: list[str]


Make = Callable[..., Run]


@pytest.fixture
def make(toolwright: Command, chat_endpoint: ChatEndpoint, tmp_path: Path) -> Make:
    """Return a function that makes a tool with the endpoint's replies to one of the models put in by the test."""

    def run(model: str, *steps: Step, base_url: str = "") -> Run:
        chat_endpoint.will(*steps, model=model)
        state = tmp_path / "state"
        ended = toolwright(
            "make",
            TASK,
            "--json",
            "--state-dir",
            state,
            TOOLWRIGHT_MODELS__DEFAULT__BASE_URL=base_url or chat_endpoint.base_url,
            TOOLWRIGHT_MODELS__DEFAULT__API_KEY="secret-key",
            TOOLWRIGHT_MODELS__DEFAULT__MODEL=USER,
            TOOLWRIGHT_MODELS__DEFAULT__MAX_RETRIES="2",
            TOOLWRIGHT_MODELS__MAKER__MODEL=MAKER,
        )
        assert "secret-key" not in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        store = open_store(state / "registry.db")
        try:
            attempts = [
                (one.reply, one.accepted, one.verdict)
                for making in store.list_makings()
                for one in store.list_attempts(making.making_id)
            ]
            assert all(making.finished_at for making in store.list_makings())
            return Run(
                ended.returncode,
                json.loads(ended.stdout),
                ended.stderr,
                attempts,
                [tool.reference for tool in store.list_tools()],
            )
        finally:
            store.close()

    return run


HELPED: dict[str, tuple[str, tuple[Step, ...]]] = {
    "429 once": (MAKER, (BUSY, FromScript())),
    "500 twice": (MAKER, (BROKEN, BROKEN, FromScript())),
    "connection broken once": (MAKER, (Reset(), FromScript())),
    "prose around the code": (MAKER, (completion(f"Sure!\n\n{RIGHT_CODE}\n\nHope that helps."),)),
    "no code block at first": (MAKER, (completion("I would sort them."), completion(RIGHT_CODE))),
    "a call with broken JSON once": (USER, (completion(calls=[("sort_words", '{"words": [')]), FromScript())),
    "a call off the schema once": (USER, (completion(calls=[("sort_words", '{"word": 1}')]), FromScript())),
}


def _one_quick(names: Iterable[str]) -> list[Any]:
    """Return `names`, all but the first for the slow tier: each starts a server of its own."""
    return [pytest.param(name, marks=pytest.mark.slow if number else ()) for number, name in enumerate(names)]


@pytest.mark.parametrize("name", _one_quick(HELPED))
def test_what_another_try_mends_is_mended(make: Make, name: str) -> None:
    """The tool is made, and the registry holds each attempt, the refused ones too."""
    run = make(HELPED[name][0], *HELPED[name][1])

    assert run.status == 0, run.stderr
    assert run.tools == ["sort_words@1"]
    assert [accepted for _, accepted, _ in run.attempts].count(True) == 1
    assert run.attempts[-1][1]


def test_a_reply_without_code_is_an_attempt_with_feedback(make: Make) -> None:
    """It is stored as it came, with the reason that went back to the model."""
    run = make(MAKER, completion("I would sort them."), completion(RIGHT_CODE))

    assert run.attempts[0] == ("I would sort them.", False, run.attempts[0][2])
    assert "no fenced" in run.attempts[0][2]


NOT_HELPED: dict[str, tuple[tuple[Step, ...], str, int]] = {
    "429 for ever": ((BUSY,), "MODEL_UNAVAILABLE", 3),
    "500 for ever": ((BROKEN,), "MODEL_UNAVAILABLE", 3),
    "no JSON": ((Respond(200, "<html>hello</html>", content_type="text/html"),), "MODEL_REPLY_INVALID", 3),
    "JSON that is no completion": ((Respond(200, {"answer": 42}),), "MODEL_REPLY_INVALID", 3),
    "key refused": ((Respond(401, {"error": {"message": "bad key"}}),), "MODEL_REJECTED", 3),
}


@pytest.mark.parametrize("name", _one_quick(NOT_HELPED))
def test_what_no_try_mends_ends_with_a_clear_error(make: Make, name: str) -> None:
    """One paragraph names what is wrong; nothing is kept as a tool, the attempt is on record."""
    steps, reason, status = NOT_HELPED[name]

    run = make(MAKER, *steps)

    assert (run.status, run.document["error"]["reason"]) == (status, reason), run.stderr
    assert run.tools == []
    assert len(run.attempts) == 1
    assert not run.attempts[0][1]


def test_a_dead_endpoint_ends_with_a_clear_error(make: Make) -> None:
    """Nothing listens there: the error names the address, and the attempt is on record."""
    run = make(MAKER, FromScript(), base_url="http://127.0.0.1:9/v1")

    assert (run.status, run.document["error"]["reason"]) == (3, "MODEL_UNAVAILABLE")
    assert "127.0.0.1:9" in run.document["error"]["message"]
    assert len(run.attempts) == 1


def test_a_model_that_never_calls_the_tool_is_no_fault_of_ours(make: Make) -> None:
    """Every attempt is refused for what the light model did, the budget ends, and the status is 1."""
    run = make(USER, completion("I would rather not."))

    assert run.status == 1, run.stderr
    assert run.tools == []
    assert len(run.attempts) == 5
