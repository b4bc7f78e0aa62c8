"""An `Embedder` behind any OpenAI-compatible endpoint, through the `openai` SDK."""

from __future__ import annotations

from collections.abc import Sequence

import openai

from toolwright.errors import ModelReplyInvalid
from toolwright.llm.embeddings import MAX_BATCH, unit_vector
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.openai_faults import explain
from toolwright.llm.transport import bounded_client, patience

MAX_TEXT_CHARS = 8_000
"""Of one text; models of this kind read about as much."""


class OpenAIEmbedder:
    """An embedding model of an endpoint. Safe to use from many threads; `close` when done."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        """Prepare the SDK's client; nothing is sent yet."""
        self._endpoint, self._name = endpoint, name
        self._client = openai.OpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.bearer,
            timeout=patience(endpoint.timeout_s),
            max_retries=endpoint.max_retries,
            http_client=bounded_client(endpoint.timeout_s, use_proxies=not endpoint.is_loopback),
        )

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
        self._client.close()

    def _embedded(self, texts: list[str]) -> list[bytes]:
        try:
            reply = self._client.embeddings.create(model=self._name, input=texts, encoding_format="float")
            found = [(item.index, list(item.embedding)) for item in reply.data]
        except openai.OpenAIError as fault:
            raise explain(fault, self._endpoint, self._name) from None
        except (AttributeError, TypeError, ValueError):
            raise ModelReplyInvalid(f"the endpoint {self._endpoint.host} sent no embeddings") from None
        if sorted(index for index, _ in found) != list(range(len(texts))):
            raise ModelReplyInvalid(f"the endpoint {self._endpoint.host} sent {len(found)} embeddings for {len(texts)}")
        return [unit_vector(values) for _, values in sorted(found, key=lambda pair: pair[0])]
