"""Requests over HTTP, through the `openai` SDK, which retries with back-off and heeds Retry-After."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx2
import openai

from toolwright.errors import ModelRejected
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.openai_faults import explain
from toolwright.llm.streaming import BrokenStream, assemble
from toolwright.llm.transport import bounded_client, patience

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 8.0


class HttpExchange:
    """One endpoint. Safe to use from many threads; `close` when done."""

    def __init__(self, endpoint: Endpoint, *, stream: bool = False) -> None:
        """Prepare the SDK's client; nothing is sent yet.

        Args:
            endpoint: where models answer.
            stream: ask for the reply in pieces and put them together. It comes to the same reply, and keeps proxies
                alive that give up on connections where nothing moves.
        """
        self._endpoint, self._stream = endpoint, stream
        self._takes_stream_options = True
        self._client = openai.OpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.bearer,
            timeout=patience(endpoint.timeout_s),
            max_retries=endpoint.max_retries,
            http_client=bounded_client(endpoint.timeout_s, use_proxies=not endpoint.is_loopback),
        )

    def send(self, body: Mapping[str, Any]) -> bytes:
        """Send the body; see `Exchange.send`.

        Waits at most `(retries + 1)` times twice the endpoint's time-out, plus the pauses between
        tries: up to 8 s each, or what `Retry-After` asks for, up to 120 s.
        """
        try:
            if self._stream:
                return self._streamed(body)
            # the SDK builds its values without checking types, so the body is read by our own rules
            return self._client.chat.completions.with_raw_response.create(**body).content
        except (openai.OpenAIError, BrokenStream, httpx2.HTTPError) as fault:
            # `from None`: the SDK's own text may hold what the endpoint echoed, the key included
            raise explain(fault, self._endpoint, str(body.get("model"))) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _streamed(self, body: Mapping[str, Any]) -> bytes:
        """Try again after a stream that broke: the SDK does so only until a reply has begun."""
        for tried in range(self._endpoint.max_retries):
            try:
                return self._counted_stream(body)
            except (BrokenStream, httpx2.HTTPError):
                time.sleep(min(_FIRST_PAUSE_S * 2**tried, _LONGEST_PAUSE_S))
        return self._counted_stream(body)

    def _counted_stream(self, body: Mapping[str, Any]) -> bytes:
        """Ask for the token counts at the stream's end, where the endpoint takes that."""
        if not self._takes_stream_options:
            return self._one_stream(body)
        try:
            return self._one_stream({**body, "stream_options": {"include_usage": True}})
        except openai.APIStatusError as fault:
            refusal = explain(fault, self._endpoint, "")
            if not (isinstance(refusal, ModelRejected) and "stream_options" in refusal.subject):
                raise
        self._takes_stream_options = False
        return self._one_stream(body)

    def _one_stream(self, body: Mapping[str, Any]) -> bytes:
        create = self._client.chat.completions.with_streaming_response.create
        with create(**body, stream=True) as response:
            if "json" in response.headers.get("content-type", ""):  # it does not stream, and answered whole
                whole: bytes = response.read()
                return whole
            return assemble(response.iter_lines())
