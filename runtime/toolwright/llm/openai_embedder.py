"""An `Embedder` behind any OpenAI-compatible endpoint, through the `openai` SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import openai

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.errors import ModelReplyInvalid
from toolwright.llm.embeddings import MAX_BATCH, unit_vector
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.exchange import Exchange
from toolwright.llm.openai_faults import explain
from toolwright.llm.transport import MAX_REPLY_BYTES, bounded_client, patience

MAX_TEXT_CHARS = 8_000
"""Of one text; models of this kind read about as much."""
_RULES: Final = JsonRules(MAX_REPLY_BYTES)


class EmbeddingExchange:
    """Requests for embeddings over HTTP: an `Exchange`. Safe to use from many threads; `close` when done."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Prepare the SDK's client; nothing is sent yet."""
        self._endpoint = endpoint
        self._client = openai.OpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.bearer,
            timeout=patience(endpoint.timeout_s),
            max_retries=endpoint.max_retries,
            http_client=bounded_client(endpoint.timeout_s, use_proxies=not endpoint.is_loopback),
        )

    def send(self, body: Mapping[str, Any]) -> bytes:
        """Send the body; see `Exchange.send`."""
        try:
            return self._client.embeddings.with_raw_response.create(**body).content
        except openai.OpenAIError as fault:
            # `from None`: the SDK's own text may hold what the endpoint echoed, the key included
            raise explain(fault, self._endpoint, str(body.get("model"))) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class OpenAIEmbedder:
    """An embedding model of an endpoint. Safe to use from many threads; `close` when done."""

    def __init__(self, endpoint: Endpoint, name: str, exchange: Exchange | None = None) -> None:
        """Ask for `name` at `endpoint`, over `exchange` if that is given: one that records, or replays."""
        self._host, self._name = endpoint.host, name
        self._exchange = exchange or EmbeddingExchange(endpoint)

    @property
    def name(self) -> str:
        """Model name as the endpoint knows it."""
        return self._name

    def embed(self, texts: Sequence[str]) -> list[bytes]:
        """See `Embedder`."""
        vectors: list[bytes] = []
        for start in range(0, len(texts), MAX_BATCH):
            # Empty texts are refused by most endpoints.
            part = [text[:MAX_TEXT_CHARS] or " " for text in texts[start : start + MAX_BATCH]]
            vectors += self._embedded([text.encode("utf-8", "replace").decode() for text in part])
        return vectors

    def close(self) -> None:
        """Close the connections."""
        self._exchange.close()

    def _embedded(self, texts: list[str]) -> list[bytes]:
        raw = self._exchange.send({"model": self._name, "input": texts, "encoding_format": "float"})
        try:
            data = _RULES.parse(raw)["data"]
            found = {item["index"]: item["embedding"] for item in data}
        except (JsonRefused, TypeError, KeyError):
            raise ModelReplyInvalid(f"the endpoint {self._host} sent no embeddings") from None
        if len(data) != len(texts) or set(found) != set(range(len(texts))):
            raise ModelReplyInvalid(f"the endpoint {self._host} sent {len(data)} embeddings for {len(texts)}")
        try:
            return [unit_vector(found[index]) for index in range(len(texts))]
        except TypeError:
            raise ModelReplyInvalid(f"the endpoint {self._host} sent no embeddings") from None
