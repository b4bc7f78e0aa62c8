"""The models, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from toolwright.calling.declined import DeclinedIsReply
from toolwright.calling.second_try import SecondTry
from toolwright.calling.shorter_chat import ShorterChat
from toolwright.domain.record import Role
from toolwright.llm.base import ChatModel
from toolwright.llm.embeddings import Embedder
from toolwright.llm.ledger import LedgerModel, Meter
from toolwright.llm.prices import PriceList

MAKING = "making"
USING = "using"


@dataclass(frozen=True, slots=True)
class Models:
    """Who makes, uses, dispatches, and answers without a tool.

    Shared by all requests; each request counts with a meter of its own.
    """

    maker: ChatModel
    user: ChatModel
    dispatcher: ChatModel
    prices: PriceList
    strong: ChatModel | None = None
    """None: the maker answers."""
    embedder: Embedder | None = None
    """None: nothing is compared by meaning."""

    def metered(self, role: Role, purpose: str, meter: Meter, *, tool: str = "", task: str = "") -> ChatModel:
        """Return the model of `role` with every exchange told to `meter`.

        `tool` is `name@number`, if one is known; `task` is for exchanges that do not say theirs.
        """
        base = {
            Role.MAKER: self.maker,
            Role.USER: self.user,
            Role.DISPATCHER: self.dispatcher,
            Role.STRONG: self.strong or self.maker,
        }[role]
        # The ledger is innermost: a second try is a second exchange, and costs as one.
        model = SecondTry(LedgerModel(base, role, purpose, self.prices, meter.record, tool, task))
        return ShorterChat(DeclinedIsReply(model)) if role is Role.MAKER else model
