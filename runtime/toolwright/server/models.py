"""Settings → models. Nothing of a model is loaded before one is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Final

from toolwright.calling.models import Models
from toolwright.domain.record import Role
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.learned import Learned
from toolwright.llm.prices import load_prices
from toolwright.llm.recording import Recorder, RecordingExchange
from toolwright.llm.replay import Recording, ReplayExchange
from toolwright.server.role_model import RoleModel
from toolwright.server.shared import Shared
from toolwright.settings import EmbeddingSettings, EndpointSettings, ModelSettings, Settings

if TYPE_CHECKING:
    from toolwright.llm.embeddings import Embedder
    from toolwright.llm.exchange import Exchange

_EMBEDDINGS: Final = "embeddings"
"""Who was asked, in a recording, beside the roles."""


@contextmanager
def open_models(settings: Settings) -> Iterator[Models]:
    """Return the models of the settings, or those of the offline model, or of a recording.

    Raises:
        InvalidInput: the price list, the file to record to or to replay, or the embedding model's address or key.
    """
    prices = load_prices(settings.prices_file)
    with ExitStack() as stack:
        endpoints = _endpoints(settings.models, stack)
        meaning = settings.dispatch.embeddings
        keys = [one.api_key for role in Role for one in endpoints(role)] + [meaning.api_key]
        shared = _shared(settings.models, [key.get_secret_value() for key in keys], stack)
        roles = {role: RoleModel(role, _named(role, endpoints(role), shared), shared) for role in Role}
        for model in roles.values():
            stack.callback(model.close)
        embedder = _embedder(meaning, shared, stack, offline=settings.models.offline)
        yield Models(roles[Role.MAKER], roles[Role.USER], roles[Role.DISPATCHER], prices, roles[Role.STRONG], embedder)


def _endpoints(models: ModelSettings, stack: ExitStack) -> Callable[[Role], tuple[EndpointSettings, ...]]:
    """Return the endpoints of each role. The offline model is started if it answers, for as long as `stack` lasts."""
    if not models.offline:
        return models.endpoints
    base_url = EndpointSettings().base_url
    if not models.replay:
        from toolwright.llm.offline import OfflineModelServer  # noqa: PLC0415 - not loaded where real models answer

        base_url = stack.enter_context(OfflineModelServer()).base_url
    return lambda role: (EndpointSettings(base_url=base_url, model=f"offline-{role.value}"),)


def _shared(models: ModelSettings, keys: Sequence[str], stack: ExitStack) -> Shared:
    """Open the recording that is asked for; `keys` stay out of it."""
    recorder = recording = None
    if models.record:
        recorder = Recorder(models.record, keys)
        stack.callback(recorder.close)
    if models.replay:
        recording = Recording(models.replay)
    return Shared(Learned(), recorder, recording)


def _embedder(settings: EmbeddingSettings, shared: Shared, stack: ExitStack, *, offline: bool) -> Embedder | None:
    """Return the embedding model of the settings or of the recording, None if there is none; nothing is loaded then."""
    role, recording, recorder = _EMBEDDINGS, shared.recording, shared.recorder
    name = settings.model or (recording.model_of(role) if recording else "")
    if not name or (offline and not recording):
        return None

    from toolwright.llm.openai_embedder import EmbeddingExchange, OpenAIEmbedder  # noqa: PLC0415 - takes most of a second to load

    endpoint = Endpoint(settings.base_url, settings.api_key.get_secret_value(), settings.timeout_s, max_retries=0)
    if recording:
        exchange: Exchange = ReplayExchange(recording, role)
    elif recorder:
        exchange = RecordingExchange(EmbeddingExchange(endpoint), recorder, role)
    else:
        exchange = EmbeddingExchange(endpoint)
    return stack.enter_context(closing(OpenAIEmbedder(endpoint, name, exchange)))


def _named(role: Role, endpoints: tuple[EndpointSettings, ...], shared: Shared) -> tuple[EndpointSettings, ...]:
    """Fill in the model that played `role` when it was recorded, where no other is set."""
    first, *others = endpoints
    if shared.recording and not first.model:
        first = first.model_copy(update={"model": shared.recording.model_of(role.value)})
    return first, *others
