"""Several endpoints for one role: the first that answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from toolwright.errors import ModelError, ModelRejected, ModelReplyInvalid, ModelUnavailable
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply
from toolwright.llm.breaker import Breaker

_NOT_SERVED = frozenset({401, 402, 403, 404})
"""The endpoint's key, account or model: nothing that other words in the request would change."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may be asked, and whether it is worth asking."""

    model: ChatModel
    breaker: Breaker = field(default_factory=Breaker)


class FallbackModel:
    """Asks the first of several models that is not known to be out of order; the next where that fails.

    It goes on to the next for what another endpoint may do better: no answer, 429, 5xx, no chat completion, and 401,
    402, 403 and 404, which is an operator's mistake and logged as one, but no reason to leave requests unserved. It
    does not for what is the request's own: refused content, too long a prompt, a form that is not taken.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        """Ask `candidates` in this order; there is at least one."""
        self._candidates = tuple(candidates)

    @property
    def name(self) -> str:
        """Name of the first; `Reply.asked` has that of the one that answered."""
        return self._candidates[0].model.name

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
            ModelError: what the last one raised that was asked.
            ModelUnavailable: none was, as all have failed a short while ago.
        """
        last: ModelError | None = None
        for candidate in self._candidates:
            if not candidate.breaker.admits():
                continue
            try:
                reply = candidate.model.complete(messages, functions=functions, required=required, task=task)
            except ModelError as fault:
                if not _counted(candidate, fault):
                    raise
                last = fault
            else:
                candidate.breaker.succeeded()
                return reply
        raise last or self._all_open()

    def _all_open(self) -> ModelUnavailable:
        names = ", ".join(repr(candidate.model.name) for candidate in self._candidates)
        wait_s = min(candidate.breaker.wait_s for candidate in self._candidates)
        return ModelUnavailable(
            f"all endpoints of this role failed a short while ago ({names}); the next try is made in {wait_s:.0f} s"
        )


def _counted(candidate: Candidate, fault: ModelError) -> bool:
    """Tell the breaker of `fault`; return whether another endpoint may do better."""
    match fault:
        case ModelUnavailable() | ModelReplyInvalid():
            candidate.breaker.failed()
        case ModelRejected() if fault.status in _NOT_SERVED:
            candidate.breaker.failed(surely=True)
            _log.warning("an endpoint does not serve us; the next one is asked: %s", fault)
        case _:
            candidate.breaker.succeeded()  # it answered, whatever it said
            return False
    return True
