"""Counting what models cost: a decorator that tells of each exchange, and a meter that sums them.

One model serves many requests at once, so nothing about one request is kept in it. A request that
wants its own sums wraps the model for its own time; wrapping costs nothing:

    meter = Meter(forward=store.ledger.add, tenant=tenant, request_id=new_request_id())
    maker = LedgerModel(base, Role.MAKER, "making", prices, meter.record)
    …
    Made(tool, attempts, meter.tokens())
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from toolwright.domain.record import ModelUse, Role, TokenUse, sum_use
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply
from toolwright.llm.prices import PriceList

Record = Callable[[ModelUse], None]


@dataclass(frozen=True, slots=True)
class LedgerModel:
    """Adds to any `ChatModel`: each exchange that ended in a reply is told to `record`.

    One that failed is not: the endpoint gave no count, and most do not bill it.
    """

    base: ChatModel
    role: Role
    purpose: str
    """`making` or `using`."""
    prices: PriceList
    record: Record
    tool: str = ""
    """`name@number` of the version that it is asked about; empty while none is known."""
    task: str = ""
    """What it is asked for, where `complete` is not told."""

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
        reply = self.base.complete(messages, functions=functions, required=required, task=task)
        seconds = time.monotonic() - start
        price = self.prices.of(self.base.name)
        self.record(
            ModelUse(
                role=self.role,
                # the name that was asked for: prices and settings know that one
                model=self.base.name,
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                cost_usd=price.cost(reply.prompt_tokens, reply.completion_tokens),
                seconds=seconds,
                task=task or self.task,
                purpose=self.purpose,
                at=time.time(),
                tool=self.tool,
                priced=price.known,
            )
        )
        return reply


def new_request_id() -> str:
    """Return an id for the exchanges about one question."""
    return secrets.token_hex(16)


class Meter:
    """Collects the exchanges of one request. Safe to use from many threads."""

    def __init__(self, forward: Record | None = None, *, tenant: str = "", request_id: str = "") -> None:
        """Start at nothing.

        Args:
            forward: is told of each exchange too, say to keep it.
            tenant: whose request it is, said of exchanges of which nobody said it before; so is `request_id`.
            request_id: see `new_request_id`.
        """
        self._lock = threading.Lock()
        self._uses: list[ModelUse] = []
        self._forward, self._tenant, self._request_id = forward, tenant, request_id

    def record(self, use: ModelUse) -> None:
        """Add `use`."""
        use = replace(use, tenant=use.tenant or self._tenant, request_id=use.request_id or self._request_id)
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
