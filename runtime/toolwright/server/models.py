"""Settings → models, maker and solver. Nothing of a model is loaded before one is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from toolwright.calling.models import Models
from toolwright.domain.events import MakingEvent, SolveEvent
from toolwright.domain.lifecycle import NO_ORIGIN, UNKNOWN_ACTOR, Origin
from toolwright.domain.record import Role
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import NotReady
from toolwright.lifecycle.reverify import ON_DEMAND, Reverdict, Reverifier
from toolwright.lifecycle.solves import Solving
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.prices import load_prices
from toolwright.making.pipeline import Maker
from toolwright.sandbox.base import Cancellation
from toolwright.settings import EndpointSettings, Settings

if TYPE_CHECKING:
    from toolwright.llm.ledger import Record
    from toolwright.llm.openai_model import OpenAIModel

_OPENAI_HOST: Final = "api.openai.com"


class RoleModel:
    """The model of one role, connected when it is first asked: most commands never do, and the SDK loads slowly."""

    def __init__(self, role: Role, settings: EndpointSettings) -> None:
        """Stand for the model that `settings` name."""
        self._role = role
        self._settings = settings
        self._lock = threading.Lock()
        self._model: OpenAIModel | None = None

    @property
    def name(self) -> str:
        """Model name as the endpoint knows it; empty if none is configured."""
        return self._settings.model

    def require(self) -> None:
        """Check that there is a model to ask.

        Raises:
            NotReady: says which setting is missing.
        """
        role = self._role.value
        if not self._settings.model:
            raise NotReady(
                f"no {role} model is configured: set models.{role}.model or models.default.model, with base_url and "
                "api_key as the endpoint needs them; or set models.offline to try things out without a model"
            )
        if _OPENAI_HOST in self._settings.base_url and not self._settings.api_key.get_secret_value():
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
                from toolwright.llm.openai_model import OpenAIModel  # noqa: PLC0415 - takes most of a second to load

                endpoint = Endpoint(
                    base_url=self._settings.base_url,
                    api_key=self._settings.api_key.get_secret_value(),
                    timeout_s=self._settings.timeout_s,
                    max_retries=self._settings.max_retries,
                )
                self._model = OpenAIModel(endpoint, self._settings.model, temperature=self._settings.temperature)
            return self._model


@contextmanager
def open_models(settings: Settings) -> Iterator[Models]:
    """Return the three models of the settings, or those of the offline model.

    Raises:
        InvalidInput: the price list.
    """
    prices = load_prices(settings.prices_file)
    with ExitStack() as stack:
        of = _offline(stack) if settings.models.offline else settings.models.endpoint
        roles = {role: RoleModel(role, of(role)) for role in Role}
        for model in roles.values():
            stack.callback(model.close)
        yield Models(roles[Role.MAKER], roles[Role.USER], roles[Role.DISPATCHER], prices)


def _offline(stack: ExitStack) -> Callable[[Role], EndpointSettings]:
    """Start the offline model, for as long as `stack` lasts."""
    from toolwright.llm.offline import OfflineModelServer  # noqa: PLC0415 - not loaded where real models answer

    server = stack.enter_context(OfflineModelServer())
    return lambda role: EndpointSettings(base_url=server.base_url, model=f"offline-{role.value}")


def _require(*models: ChatModel) -> None:
    for model in models:
        if isinstance(model, RoleModel):
            model.require()


class ConfiguredMaker:
    """The maker with the setting's number of attempts; refuses at once where a model is missing."""

    def __init__(self, maker: Maker, models: Models, *, attempts: int) -> None:
        """Use `attempts` where a request does not say."""
        self._maker, self._models, self._attempts = maker, models, attempts

    def make(
        self,
        task: Task,
        *,
        attempts: int = 0,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        record: Record | None = None,
    ) -> Generator[MakingEvent, None, None]:
        """Make a tool; see `making.pipeline.Maker.make`. No attempts given: as the settings say."""
        _require(self._models.maker, self._models.user)
        return self._maker.make(
            task,
            attempts=attempts or self._attempts,
            cancellation=cancellation,
            deadline_s=deadline_s,
            record=record,
        )

    def register(
        self,
        task: Task,
        source: ToolSource,
        *,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        origin: Origin = NO_ORIGIN,
    ) -> RegisteredTool:
        """Take a person's code through the same checks; see `making.pipeline.Maker.register`."""
        _require(self._models.user)
        return self._maker.register(task, source, cancellation=cancellation, deadline_s=deadline_s, origin=origin)


class ConfiguredSolver:
    """The solver; refuses at once where a model is missing."""

    def __init__(self, solver: Solving, models: Models) -> None:
        """Ask `solver`."""
        self._solver, self._models = solver, models

    def solve(
        self,
        question: str,
        *,
        tool: str = "",
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        bypass_cache: bool = False,
    ) -> Generator[SolveEvent, None, None]:
        """Answer a question; see `solving.solver.Solver.solve`."""
        _require(self._models.user, *(() if tool else (self._models.dispatcher,)))
        return self._solver.solve(
            question, tool=tool, cancellation=cancellation, deadline_s=deadline_s, bypass_cache=bypass_cache
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
