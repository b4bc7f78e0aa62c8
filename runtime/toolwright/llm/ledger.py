"""Counting what models cost: a decorator that tells of each exchange, and a meter that sums them.

One model serves many requests at once, so nothing about one request is kept in it. A request that
wants its own sums wraps the model for its own time; wrapping costs nothing:

    meter = Meter(forward=store.add_model_use)
    maker = LedgerModel(base, Role.MAKER, "making", prices, meter.record)
    …
    Made(tool, attempts, meter.tokens())
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toolwright.domain.record import ModelUse, Role, TokenUse, sum_use
from toolwright.errors import ModelRefused
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply
from toolwright.llm.prices import PriceList

Record = Callable[[ModelUse], None]


@dataclass(frozen=True, slots=True)
class LedgerModel:
    """Adds to any `ChatModel`: each exchange that ended in a reply, or in a refusal, is told to `record`.

    One that failed is not: the endpoint gave no count, and most do not bill it.
    """

    base: ChatModel
    role: Role
    purpose: str
    """`making` or `using`."""
    prices: PriceList
    record: Record

    @property
    def name(self) -> str:
        """Model name as the endpoint knows it."""
        return self.base.name

    def complete(
        self,
        messages: Sequence[Message],
        *,
        functions: Sequence[FunctionSpec] = (),
        required: bool = False,
        task: str = "",
    ) -> Reply:
        """Send `messages` and return the reply; see `ChatModel.complete`."""
        start = time.monotonic()
        try:
            reply = self.base.complete(messages, functions=functions, required=required, task=task)
        except ModelRefused as refusal:
            self._told(refusal.asked, refusal.prompt_tokens, refusal.completion_tokens, start, task)
            raise
        self._told(reply.asked, reply.prompt_tokens, reply.completion_tokens, start, task)
        return reply

    def _told(self, asked: str, prompt_tokens: int, completion_tokens: int, start: float, task: str) -> None:
        # the name that was asked for, at the endpoint that answered: prices and settings know that one
        model = asked or self.base.name
        self.record(
            ModelUse(
                role=self.role,
                model=model,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                cost_usd=self.prices.cost(model, prompt_tokens, completion_tokens),
                seconds=time.monotonic() - start,
                task=task,
                purpose=self.purpose,
                at=time.time(),
            )
        )


class Meter:
    """Collects the exchanges of one request. Safe to use from many threads."""

    def __init__(self, forward: Record | None = None) -> None:
        """Start at nothing; `forward` is told of each exchange too, say to keep it."""
        self._lock = threading.Lock()
        self._uses: list[ModelUse] = []
        self._forward = forward

    def record(self, use: ModelUse) -> None:
        """Add `use`."""
        with self._lock:
            self._uses.append(use)
        if self._forward is not None:
            self._forward(use)

    def uses(self) -> tuple[ModelUse, ...]:
        """Return all exchanges so far, in order."""
        with self._lock:
            return tuple(self._uses)

    def tokens(self) -> tuple[TokenUse, ...]:
        """Return the sums so far, one for each role and model."""
        return sum_use(self.uses())
