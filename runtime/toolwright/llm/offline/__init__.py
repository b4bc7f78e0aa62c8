"""The offline model: scripted replies behind a local OpenAI-compatible HTTP server. It is no language model."""

from toolwright.llm.offline.script import MODELS
from toolwright.llm.offline.server import FINGERPRINT, OfflineModelServer

MODEL_NAMES = tuple(MODELS)
"""Names of the models that it serves: maker, user, dispatcher, and one that answers by itself."""

__all__ = ["FINGERPRINT", "MODEL_NAMES", "OfflineModelServer"]
