"""Settings → models, maker and solver. Nothing of a model is loaded before one is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Final

from toolwright.calling.models import Models
from toolwright.domain.events import MakingEvent, SolveEvent
from toolwright.domain.job import Budget, Job, JobKind
from toolwright.domain.lifecycle import NO_ORIGIN, UNKNOWN_ACTOR, Origin
from toolwright.domain.record import DEFAULT_TENANT, Role
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import InvalidInput, NotReady
from toolwright.lifecycle.reverify import ON_DEMAND, Reverdict, Reverifier
from toolwright.lifecycle.solves import Solving
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.learned import Learned
from toolwright.llm.prices import load_prices
from toolwright.llm.recording import Recorder, RecordingExchange
from toolwright.llm.replay import Recording, ReplayExchange
from toolwright.making.pipeline import Maker
from toolwright.making.rules import Rules
from toolwright.making.workshop import Workshop
from toolwright.registry.base import Store
from toolwright.sandbox.base import Cancellation
from toolwright.server.shared import Shared
from toolwright.services.log import service_log
from toolwright.settings import EmbeddingSettings, EndpointSettings, MakingSettings, ModelSettings, Settings

if TYPE_CHECKING:
    from toolwright.llm.embeddings import Embedder
    from toolwright.llm.exchange import Exchange
    from toolwright.llm.ledger import Record
    from toolwright.server.model_stack import Stack

_OPENAI_HOST: Final = "api.openai.com"
_EMBEDDINGS: Final = "embeddings"
"""Who was asked, in a recording, beside the roles."""
_TOLD_CHARS: Final = 500
_log: Final = service_log("toolwright.services")


class RoleModel:
    """The model of one role, connected when it is first asked: most commands never do, and the SDK loads slowly."""

    def __init__(self, role: Role, endpoints: Sequence[EndpointSettings], shared: Shared) -> None:
        """Stand for the models that `endpoints` name: the first of them, and those to fall back on."""
        self._role, self._endpoints, self._shared = role, tuple(endpoints), shared
        self._lock = threading.Lock()
        self._model: Stack | None = None

    @property
    def name(self) -> str:
        """Model name as the endpoint knows it; empty if none is configured."""
        return self._endpoints[0].model

    def require(self) -> None:
        """Check that there is a model to ask.

        Raises:
            NotReady: says which setting is missing.
        """
        role = self._role.value
        if not self.name:
            raise NotReady(
                f"no {role} model is configured: set models.{role}.model or models.default.model, with base_url and "
                "api_key as the endpoint needs them; or set models.offline to try things out without a model"
            )
        if self._shared.recording:
            return
        first = self._endpoints[0]
        if _OPENAI_HOST in first.base_url and not first.api_key.get_secret_value():
            raise NotReady(
                f"the {role} model has no key: set models.{role}.api_key, models.default.api_key or OPENAI_API_KEY"
            )

    def complete(
        self,
        messages: Sequence[Message],
        *,
        functions: Sequence[FunctionSpec] = (),
        required: bool = False,
        task: str = "",
    ) -> Reply:
        """Send `messages` and return the reply; see `ChatModel.complete`.

        Raises:
            NotReady: no model is configured.
        """
        return self._connected().complete(messages, functions=functions, required=required, task=task)

    def close(self) -> None:
        """Close the connection; a request that waits for the endpoint ends."""
        with self._lock:
            if self._model is not None:
                self._model.close()

    def _connected(self) -> ChatModel:
        self.require()
        with self._lock:
            if self._model is None:
                from toolwright.server.model_stack import open_stack  # noqa: PLC0415 - takes most of a second to load

                self._model = open_stack(self._role, self._endpoints, self._shared)
            return self._model.model


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


def _require(*models: ChatModel) -> None:
    for model in models:
        if isinstance(model, RoleModel):
            model.require()


class ConfiguredMaker:
    """The workshop and its maker; refuses at once where a model is missing."""

    def __init__(self, workshop: Workshop, maker: Maker, models: Models) -> None:
        """Let `workshop` make tools, and `maker` take a person's code."""
        self._workshop, self._maker, self._models = workshop, maker, models

    def make(  # noqa: PLR0913 - the fields of the request
        self,
        task: Task,
        *,
        attempts: int = 0,
        budget: Budget | None = None,
        candidates: int = 0,
        kind: JobKind = JobKind.MAKE,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        record: Record | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> Generator[MakingEvent, None, None]:
        """Have a tool made; see `making.workshop.Workshop.make`."""
        _require(self._models.maker, self._models.user)
        try:
            return self._workshop.make(
                task,
                attempts=attempts,
                budget=budget,
                candidates=candidates,
                kind=kind,
                cancellation=cancellation,
                deadline_s=deadline_s,
                record=record,
                tenant=tenant,
            )
        except InvalidInput as fault:
            _log.warning("making refused", text=str(fault)[:_TOLD_CHARS])
            raise

    def follow(
        self, making_id: str, *, cancellation: Cancellation | None = None, deadline_s: float | None = None
    ) -> Generator[MakingEvent, None, None]:
        """Yield the steps of a making; see `making.workshop.Workshop.follow`."""
        return self._workshop.follow(making_id, cancellation=cancellation, deadline_s=deadline_s)

    def cancel(self, making_id: str, reason: str = "") -> Job:
        """End a making; see `making.workshop.Workshop.cancel`."""
        return self._workshop.cancel(making_id, reason)

    @property
    def running(self) -> int:
        """How many makings are being worked on."""
        return self._workshop.running

    def register(  # noqa: PLR0913 - what is asked, and by whom
        self,
        task: Task,
        source: ToolSource,
        *,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str = DEFAULT_TENANT,
        origin: Origin = NO_ORIGIN,
    ) -> RegisteredTool:
        """Take a person's code through the same checks; see `making.pipeline.Maker.register`."""
        _require(self._models.user)
        return self._maker.register(
            task, source, cancellation=cancellation, deadline_s=deadline_s, tenant=tenant, origin=origin
        )


@contextmanager
def open_workshop(
    maker: Maker, store: Store, making: MakingSettings, models: Models, *, adopt: bool
) -> Iterator[Workshop]:
    """Return the workshop of the settings, at work until the end.

    Args:
        maker: does the work.
        store: holds the jobs.
        making: bounds.
        models: without a maker and a user among them nothing is taken up.
        adopt: take up any job of the registry, as a server for all does; a process of its own only what it asked for.
    """
    rules = Rules(
        budget=Budget(making.attempts, making.max_tokens, making.max_cost_usd, making.max_seconds),
        candidates=making.candidates,
        max_running=making.max_running,
        max_queue=making.max_queue,
        lease_s=making.lease_s,
        adopt=adopt,
    )
    workshop = Workshop(maker, store, rules=rules, on_fault=_tell)
    if adopt and _configured(models.maker, models.user):
        workshop.start()
    try:
        yield workshop
    finally:
        workshop.close()


def _tell(job: Job, fault: Exception) -> None:
    text = str(fault)[:_TOLD_CHARS]
    _log.warning("making ended early", making=job.making_id, reason=type(fault).__name__, text=text)


def _configured(*models: ChatModel) -> bool:
    try:
        _require(*models)
    except NotReady:
        return False
    return True


class ConfiguredSolver:
    """The solver; refuses at once where a model is missing."""

    def __init__(self, solver: Solving, models: Models) -> None:
        """Ask `solver`."""
        self._solver, self._models = solver, models

    def solve(  # noqa: PLR0913 - the fields of the request
        self,
        question: str,
        *,
        tool: str = "",
        among: Sequence[str] = (),
        dispatch_only: bool = False,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str = DEFAULT_TENANT,
        bypass_cache: bool = False,
    ) -> Generator[SolveEvent, None, None]:
        """Answer a question; see `solving.solver.Solver.solve`."""
        _require(self._models.user, *(() if tool else (self._models.dispatcher,)))
        return self._solver.solve(
            question,
            tool=tool,
            among=among,
            dispatch_only=dispatch_only,
            cancellation=cancellation,
            deadline_s=deadline_s,
            tenant=tenant,
            bypass_cache=bypass_cache,
        )


class ConfiguredReverifier:
    """Verifies again; refuses at once where the light model is missing."""

    def __init__(self, reverifier: Reverifier, models: Models) -> None:
        """Ask `reverifier`."""
        self._reverifier, self._models = reverifier, models

    def verify(
        self,
        reference: str,
        *,
        actor: str = UNKNOWN_ACTOR,
        reason: str = ON_DEMAND,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
    ) -> Reverdict:
        """Verify a version again; see `lifecycle.reverify.Reverifier.verify`."""
        _require(self._models.user)
        return self._reverifier.verify(
            reference, actor=actor, reason=reason, cancellation=cancellation, deadline_s=deadline_s
        )
