"""What the tests of models share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from toolwright.llm.endpoint import Endpoint
from toolwright.llm.openai_model import OpenAIModel

OpenModel = Callable[..., OpenAIModel]


@pytest.fixture
def open_model() -> Iterator[OpenModel]:
    """Open models at a base URL; all are closed at the end."""
    opened: list[OpenAIModel] = []

    def open_one(
        base_url: str,
        name: str = "model-under-test",
        *,
        api_key: str = "sk-very-secret",
        timeout_s: float = 5.0,
        max_retries: int = 0,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> OpenAIModel:
        endpoint = Endpoint(base_url, api_key, timeout_s, max_retries)
        opened.append(OpenAIModel(endpoint, name, temperature=temperature, max_tokens=max_tokens))
        return opened[-1]

    yield open_one
    for model in opened:
        model.close()
