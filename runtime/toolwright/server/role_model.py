"""The model of one role, and that there is one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from toolwright.domain.record import Role
from toolwright.errors import NotReady
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply
from toolwright.server.shared import Shared
from toolwright.settings import EndpointSettings

if TYPE_CHECKING:
    from toolwright.server.model_stack import Stack

_OPENAI_HOST: Final = "api.openai.com"


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


def require(*models: ChatModel) -> None:
    """Check that each of `models` can be asked, as far as is known without asking.

    Raises:
        NotReady: says which setting is missing.
    """
    for model in models:
        if isinstance(model, RoleModel):
            model.require()


def are_configured(*models: ChatModel) -> bool:
    """Return whether each of `models` can be asked; see `require`."""
    try:
        require(*models)
    except NotReady:
        return False
    return True
