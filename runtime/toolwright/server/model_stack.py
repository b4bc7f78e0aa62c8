"""One role's model, put together: each behaviour is a layer that knows nothing of the others.

From the caller down: several endpoints ▸ forms of replies ▸ calls as text ▸ the chat as a request ▸ only what the
endpoint takes ▸ recording ▸ HTTP, or a recording in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolwright.domain.record import Role
from toolwright.llm.adapting import AdaptingExchange
from toolwright.llm.base import ChatModel
from toolwright.llm.chat_completions import ChatCompletions, ChatOptions
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.exchange import Exchange
from toolwright.llm.fallback import Candidate, FallbackModel
from toolwright.llm.http_exchange import HttpExchange
from toolwright.llm.learned import Place
from toolwright.llm.recording import RecordingExchange
from toolwright.llm.replay import ReplayExchange
from toolwright.llm.shaped import ShapedModel
from toolwright.llm.text_protocol import TextProtocolModel
from toolwright.server.shared import Shared
from toolwright.settings import EndpointSettings


@dataclass(frozen=True, slots=True)
class Stack:
    """A model and the connections beneath it."""

    model: ChatModel
    exchanges: tuple[Exchange, ...]

    def close(self) -> None:
        """Close the connections; a request that waits for an endpoint ends."""
        for exchange in self.exchanges:
            exchange.close()


def open_stack(role: Role, endpoints: Sequence[EndpointSettings], shared: Shared) -> Stack:
    """Return the model of `role`: the first of `endpoints`, and the others where that does not answer."""
    exchanges = [_exchange(role, endpoint, shared) for endpoint in endpoints]
    models = [_model(*pair, shared) for pair in zip(endpoints, exchanges, strict=True)]
    model = models[0] if len(models) == 1 else FallbackModel([Candidate(model) for model in models])
    return Stack(model, tuple(exchanges))


def _exchange(role: Role, settings: EndpointSettings, shared: Shared) -> Exchange:
    """How requests travel."""
    if shared.recording:
        return ReplayExchange(shared.recording, role.value)
    exchange: Exchange = HttpExchange(_endpoint(settings), stream=settings.stream)
    if shared.recorder:
        exchange = RecordingExchange(exchange, shared.recorder, role.value)
    return exchange


def _model(settings: EndpointSettings, exchange: Exchange, shared: Shared) -> ChatModel:
    """How one endpoint is asked."""
    place = Place(settings.base_url, settings.model)
    options = ChatOptions(settings.temperature, settings.max_completion_tokens, settings.reasoning_effort)
    adapting = AdaptingExchange(exchange, shared.learned, settings.base_url)
    model: ChatModel = ChatCompletions(_endpoint(settings), adapting, settings.model, options)
    model = TextProtocolModel(model, shared.learned, place)
    return ShapedModel(model, shared.learned, place)


def _endpoint(settings: EndpointSettings) -> Endpoint:
    return Endpoint(
        base_url=settings.base_url,
        api_key=settings.api_key.get_secret_value(),
        timeout_s=settings.timeout_s,
        max_retries=settings.max_retries,
    )
