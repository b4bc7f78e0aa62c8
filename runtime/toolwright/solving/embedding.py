"""Meanings of questions and tools, where an endpoint for embeddings is configured. Full text goes on without it."""

from __future__ import annotations

import logging
import threading
import time
from array import array
from collections.abc import Callable, Mapping, Sequence

from toolwright.errors import ModelError, ModelExchangeMissing, ToolwrightError
from toolwright.llm.embeddings import MAX_BATCH, Embedder, cosine, floats
from toolwright.registry.base import Store
from toolwright.registry.search import Hit
from toolwright.solving.cards import Cards

REST_S = 30.0
"""Seconds for which an endpoint that failed is not asked again."""
_SETTLED = 60.0
"""As usual in joining two rankings: how much being first is worth over being second."""
_log = logging.getLogger("toolwright.solving")


class Meanings:
    """Ranks tools by the likeness of their embedding to the question's. Safe to use from many threads.

    A question's own embedding is asked for while it waits. Those of tools are computed in the background and kept.
    """

    def __init__(
        self, store: Store, embedder: Embedder, cards: Cards, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Compare by `embedder`."""
        self._store, self._embedder, self._cards, self._clock = store, embedder, cards, clock
        self._lock = threading.Lock()
        self._resting_until = 0.0
        self._revision = -1
        self._vectors: Mapping[str, array[float]] = {}
        self._computing: threading.Thread | None = None

    def of_question(self, question: str) -> bytes:
        """Return the embedding of `question`; empty if the endpoint gives none now, which is logged.

        Raises:
            ModelExchangeMissing: it is replayed, and was not recorded: going on without would be another run.
        """
        if self._clock() < self._resting_until:
            return b""
        try:
            return self._embedder.embed([question])[0]
        except ModelExchangeMissing:
            raise
        except ModelError as fault:
            self._rest(fault)
            return b""

    def rank(self, vector: bytes, hits: Sequence[Hit], *, limit: int) -> list[Hit]:
        """Return `hits` joined with the likest entries by meaning, best first, `limit` at most."""
        wanted = floats(vector)
        known = self._known()
        likest = sorted(known, key=lambda digest: -cosine(wanted, known[digest]))[: 2 * limit]
        scores: dict[str, float] = {}
        for ranking in ([hit.digest for hit in hits], likest):
            for place, digest in enumerate(ranking):
                scores[digest] = scores.get(digest, 0.0) + 1 / (_SETTLED + place)
        every = {hit.digest: hit for hit in self._store.search.all(limit=len(known) + len(hits) + limit)}
        every |= {hit.digest: hit for hit in hits}
        best = sorted((digest for digest in scores if digest in every), key=lambda digest: -scores[digest])
        return [every[digest] for digest in best[:limit]]

    def refresh(self) -> None:
        """Compute the embeddings of entries that have none yet, and return when that is done.

        Raises:
            ToolwrightError: the store or the endpoint failed; what was computed before is kept.
        """
        search, model = self._store.search, self._embedder.name
        revision, there = search.revision(), search.vectors(model)
        missing = [hit for hit in search.all(limit=1_000_000) if hit.digest not in there]
        for start in range(0, len(missing), MAX_BATCH):
            part = missing[start : start + MAX_BATCH]
            texts = [self._cards.card(hit).text for hit in part]
            for hit, vector in zip(part, self._embedder.embed(texts), strict=True):
                search.put_vector(hit.digest, model, vector)
        self._vectors = {digest: floats(vector) for digest, vector in search.vectors(model).items()}
        self._revision = revision

    def _known(self) -> Mapping[str, array[float]]:
        """Return what is computed so far, and begin with the rest."""
        if self._store.search.revision() != self._revision:
            with self._lock:
                busy = self._computing is not None and self._computing.is_alive()
                if not busy and self._clock() >= self._resting_until:
                    self._computing = threading.Thread(target=self._compute, name="embeddings", daemon=True)
                    self._computing.start()
        return self._vectors

    def _compute(self) -> None:
        try:
            self.refresh()
        except ModelExchangeMissing as fault:
            # Which tools were there when theirs was asked for differs from run to run; a question's never does.
            _log.warning("tools are not compared by meaning: %s", str(fault)[:500])
        except ToolwrightError as fault:
            self._rest(fault)

    def _rest(self, fault: ToolwrightError) -> None:
        self._resting_until = self._clock() + REST_S
        _log.warning("no embeddings for %g s, full text decides: %s", REST_S, str(fault)[:500])
