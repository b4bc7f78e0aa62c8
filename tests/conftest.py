"""Fixtures that more than one tier uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from toolwright.llm.offline import OfflineModelServer
from toolwright.llm.testing import ChatEndpoint


@pytest.fixture
def chat_endpoint() -> Iterator[ChatEndpoint]:
    """An OpenAI-compatible endpoint that misbehaves as told; answers like the offline model until then."""
    with ChatEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def offline_server() -> Iterator[OfflineModelServer]:
    """The offline model, running."""
    with OfflineModelServer() as server:
        yield server
