"""Finding tools by meaning, where an endpoint for embeddings is configured; by full text where it fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.errors import ModelExchangeMissing, ModelReplyInvalid, ModelUnavailable
from toolwright.llm.embeddings import cosine, floats, unit_vector
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.openai_embedder import OpenAIEmbedder
from toolwright.llm.testing import ChatEndpoint, Respond
from toolwright.registry.memory import MemoryStore
from toolwright.server.models import open_models
from toolwright.settings import Settings
from toolwright.solving.cards import Cards
from toolwright.solving.choices import Choices
from toolwright.solving.embedding import Meanings

TASK = Task("sums", "About sums.", (Example("t", "1+2?", "3"),), (Example("h", "2+2?", "4"),), AnswerKind.NUMBER)


@dataclass
class Colours:
    """Knows one meaning: whether a text speaks of water."""

    name: str = "colours"
    asked: list[str] = field(default_factory=list)
    fails: bool = False

    def embed(self, texts: Sequence[str]) -> list[bytes]:
        if self.fails:
            raise ModelUnavailable("503")
        self.asked += texts
        wet = ("river", "lake", "stream")
        return [unit_vector([1.0, 0.1] if any(word in text for word in wet) else [0.1, 1.0]) for text in texts]


def test_a_tool_is_found_by_meaning_and_each_is_embedded_once() -> None:
    """It shares no word with the question; another server, or the next start, needs not ask again."""
    store, embedder = MemoryStore(), Colours()
    for number in range(20):
        store.save_task(replace(TASK, name=f"other_{number}", description="Of apples and pears."))
    store.save_task(replace(TASK, name="wet", description="The longest river."))
    assert not [c for c in Choices(store, limit=3).offered_for("Which lake is deepest?").choices if c.name == "wet"]

    Meanings(store, embedder, Cards(store)).refresh()
    meanings = Meanings(store, embedder, Cards(store))
    meanings.refresh()

    assert len(embedder.asked) == 21
    found = meanings.rank(meanings.of_question("Which lake is deepest?"), [], limit=3)
    assert found[0].name == "wet"


def test_full_text_goes_on_when_the_endpoint_fails(caplog: pytest.LogCaptureFixture) -> None:
    """The log says so once, and the endpoint is left alone for a while."""
    store, embedder = MemoryStore(), Colours(fails=True)
    for number in range(5):
        store.save_task(replace(TASK, name=f"other_{number}", description="Of apples."))
    store.save_task(replace(TASK, name="wet", description="The longest river."))
    choices = Choices(store, limit=2, embedder=embedder)
    with caplog.at_level(logging.WARNING, "toolwright.solving"):
        for _ in range(3):
            offer = choices.offered_for("Which rivers are longest?")
            assert [choice.name for choice in offer.choices] == ["wet"]
            assert offer.vector == b""
    assert len([record for record in caplog.records if "full text decides" in record.getMessage()]) == 1


def test_the_endpoints_vectors_come_in_the_order_of_the_texts(chat_endpoint: ChatEndpoint) -> None:
    """By index, whatever order they arrive in; scaled to length 1."""
    data = [
        {"object": "embedding", "index": 1, "embedding": [0, 2]},
        {"object": "embedding", "index": 0, "embedding": [3, 0]},
    ]
    chat_endpoint.will(Respond(body={"object": "list", "data": data, "model": "m", "usage": {}}))
    embedder = OpenAIEmbedder(Endpoint(chat_endpoint.base_url, max_retries=0), "m")
    one, other = embedder.embed(["a", "\ud800"])
    embedder.close()
    assert (list(floats(one)), list(floats(other))) == ([1.0, 0.0], [0.0, 1.0])
    assert cosine(floats(one), floats(other)) == 0.0
    assert cosine(floats(one), floats(unit_vector([1.0]))) == 0.0


@pytest.mark.parametrize("data", [[], [{"object": "embedding", "index": 0, "embedding": []}], "none"])
def test_a_reply_without_vectors_is_a_fault(chat_endpoint: ChatEndpoint, data: object) -> None:
    """Nothing is made up."""
    chat_endpoint.will(Respond(body={"object": "list", "data": data, "model": "m", "usage": {}}))
    embedder = OpenAIEmbedder(Endpoint(chat_endpoint.base_url, max_retries=0), "m")
    with pytest.raises(ModelReplyInvalid):
        embedder.embed(["a"])
    embedder.close()


def settings(directory: Path, **given: Any) -> Settings:
    """Return settings whose state is in `directory`."""
    return Settings(state_dir=directory, **given)


def test_embeddings_are_recorded_and_replayed(chat_endpoint: ChatEndpoint, tmp_path: Path) -> None:
    """The same vector without any network, by the model that the recording names; no key in it; others are missing."""
    path, secret = tmp_path / "run.jsonl", "sk-embeddings-of-this-test"
    data = [{"object": "embedding", "index": 0, "embedding": [3, 4]}]
    chat_endpoint.will(Respond(body={"object": "list", "data": data, "model": f"echo of {secret}", "usage": {}}))
    embeddings = {"base_url": chat_endpoint.base_url, "model": "m", "api_key": secret}
    with open_models(settings(tmp_path, models={"record": path}, dispatch={"embeddings": embeddings})) as models:
        assert models.embedder is not None
        (heard,) = models.embedder.embed(["a question"])
    assert secret not in path.read_text()

    with open_models(settings(tmp_path, models={"replay": path})) as models:
        assert models.embedder is not None
        assert models.embedder.name == "m"
        assert models.embedder.embed(["a question"]) == [heard]
        meanings = Meanings(MemoryStore(), models.embedder, Cards(MemoryStore()))
        with pytest.raises(ModelExchangeMissing, match="embeddings 'm', whose last message begins 'another'"):
            meanings.of_question("another")
    assert len(chat_endpoint.requests) == 1


def test_without_a_name_nothing_is_compared_by_meaning(tmp_path: Path) -> None:
    """Nor beside the offline models, which know no embeddings."""
    named = {"embeddings": {"model": "m"}}
    for given in ({}, {"models": {"offline": True}, "dispatch": named}):
        with open_models(settings(tmp_path, **given)) as models:
            assert models.embedder is None
