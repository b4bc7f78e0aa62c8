"""A `ChatModel` behind any OpenAI-compatible endpoint, through the `openai` SDK."""

from __future__ import annotations

from toolwright.llm.adapting import AdaptingExchange
from toolwright.llm.chat_completions import MAX_FUNCTION_DESCRIPTION_CHARS, ChatCompletions, ChatOptions
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.http_exchange import HttpExchange
from toolwright.llm.learned import Learned

__all__ = ["MAX_FUNCTION_DESCRIPTION_CHARS", "OpenAIModel"]


class OpenAIModel(ChatCompletions):
    """One model of an endpoint over HTTP, asked for no more than it takes. Safe to use from many threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        name: str,
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stream: bool = False,
    ) -> None:
        """Prepare the SDK's client; nothing is sent yet.

        Args:
            endpoint: where the model answers.
            name: the model's name there.
            temperature: left out of requests if None, and where the endpoint refuses it.
            max_tokens: most tokens of a reply; left out if None.
            stream: see `HttpExchange`.

        Raises:
            InvalidInput: the name is empty.
        """
        exchange = AdaptingExchange(HttpExchange(endpoint, stream=stream), Learned(), endpoint.base_url)
        options = ChatOptions(temperature=temperature, max_completion_tokens=max_tokens)
        super().__init__(endpoint, exchange, name, options)
