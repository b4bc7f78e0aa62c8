"""What a question is offered: tools in use, and tasks that have examples and no tool yet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from toolwright.errors import NotFound
from toolwright.llm.embeddings import Embedder
from toolwright.registry.base import Store
from toolwright.registry.search import Hit
from toolwright.solving.cards import Cards, Choice, of_task, of_tool
from toolwright.solving.embedding import Meanings

MAX_CANDIDATES = 8
"""Where settings do not say otherwise."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What one question is offered, by name."""

    choices: Sequence[Choice]
    vector: bytes = b""
    """The question's embedding; empty if there is none."""


class Choices:
    """Offers the tools that fit a question best: all of them while they are few. Safe to use from many threads.

    A question costs one search, and reads only tools that were never offered before.
    """

    def __init__(self, store: Store, *, limit: int = MAX_CANDIDATES, embedder: Embedder | None = None) -> None:
        """Offer what is in `store`, `limit` at most; by meaning too where there is an `embedder`."""
        self._store, self._limit, self._cards = store, limit, Cards(store)
        self._meanings = Meanings(store, embedder, self._cards) if embedder is not None else None

    def offered_for(self, question: str, only: Sequence[str] = ()) -> Offer:
        """Return what `question` may be given to; of the names in `only`, if there are any.

        Raises:
            NotFound, InvalidInput: a name in `only`.
            ToolwrightError: what the store raises.
        """
        if only:
            return Offer([self._named(name) for name in sorted(set(only))])
        vector = self._meanings.of_question(question) if self._meanings is not None else b""
        hits = self._store.search.candidates(question, limit=self._limit)
        if vector and self._meanings is not None:
            hits = self._meanings.rank(vector, hits, limit=self._limit)
        if any(not hit.number for hit in hits):
            held = self._store.misses.held_names()
            hits = [hit for hit in hits if hit.number or hit.name not in held]
        return Offer(sorted(self._read(hits), key=lambda choice: choice.name), vector)

    def _read(self, hits: Sequence[Hit]) -> list[Choice]:
        choices = []
        for hit in hits:
            with suppress(NotFound):  # retired since the search
                choices.append(self._cards.card(hit))
        return choices

    def _named(self, name: str) -> Choice:
        try:
            return of_tool(self._store.get_tool(name))
        except NotFound:
            return of_task(self._store.get_task(name))
