"""Searching the registry in memory: BM25, computed here."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from toolwright.registry.search import WEIGHTS, Hit, SearchText
from toolwright.registry.terms import query_terms

_K1, _B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry as the store has it now."""

    name: str
    digest: str
    number: int
    read: Callable[[], SearchText]


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: str
    number: int
    counts: Counter[str]
    """Weighted occurrences of each term."""
    length: float


class MemorySearch:
    """A `SearchIndex` over what `listed` returns; `writing` guards what is kept here."""

    def __init__(self, listed: Callable[[], Sequence[Listed]]) -> None:
        """Index what `listed` returns, anew at each search as far as it has changed."""
        self._listed = listed
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._revision = 0
        self._vectors: dict[tuple[str, str], bytes] = {}

    def revision(self) -> int:
        """See `SearchIndex`."""
        with self._lock:
            self._sync()
            return self._revision

    def find(self, query: str, *, limit: int, tools_only: bool = False) -> Sequence[Hit]:
        """See `SearchIndex`."""
        with self._lock:
            self._sync()
            scores = self._scores(query_terms(query))
            hits = [Hit(name, self._entries[name].digest, self._entries[name].number, s) for name, s in scores.items()]
        kept = [hit for hit in hits if hit.number or not tools_only]
        return sorted(kept, key=lambda hit: (-hit.score, hit.name))[:limit]

    def all(self, *, limit: int, tools_only: bool = False) -> Sequence[Hit]:
        """See `SearchIndex`."""
        with self._lock:
            self._sync()
            kept = sorted((name, entry) for name, entry in self._entries.items() if entry.number or not tools_only)
        return [Hit(name, entry.digest, entry.number, 0.0) for name, entry in kept[:limit]]

    def candidates(self, query: str, *, limit: int) -> Sequence[Hit]:
        """See `SearchIndex`."""
        every = self.all(limit=limit + 1)
        return every if len(every) <= limit else self.find(query, limit=limit)

    def put_vector(self, digest: str, model: str, vector: bytes) -> None:
        """See `SearchIndex`."""
        with self._lock:
            self._vectors[digest, model] = vector

    def vectors(self, model: str) -> Mapping[str, bytes]:
        """See `SearchIndex`."""
        with self._lock:
            self._sync()
            wanted = ((entry.digest, self._vectors.get((entry.digest, model))) for entry in self._entries.values())
            return {digest: vector for digest, vector in wanted if vector is not None}

    def _sync(self) -> None:
        now = {entry.name: entry for entry in self._listed()}
        there = {name: (entry.digest, entry.number) for name, entry in self._entries.items()}
        changed = [entry for name, entry in now.items() if there.get(name) != (entry.digest, entry.number)]
        gone = there.keys() - now.keys()
        for name in gone:
            del self._entries[name]
        for entry in changed:
            self._entries[entry.name] = _indexed(entry)
        self._revision += len(changed) + len(gone)

    def _scores(self, terms: Sequence[str]) -> dict[str, float]:
        entries, scores = self._entries, dict[str, float]()
        mean = sum(entry.length for entry in entries.values()) / max(1, len(entries)) or 1.0
        for term in terms:
            having = [(name, entry) for name, entry in entries.items() if term in entry.counts]
            # A little above 0 where most entries have the term, as SQLite's.
            rarity = max(1e-6, math.log((len(entries) - len(having) + 0.5) / (len(having) + 0.5)))
            for name, entry in having:
                count = entry.counts[term]
                weight = count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * entry.length / mean))
                scores[name] = scores.get(name, 0.0) + rarity * weight
        return scores


def _indexed(listed: Listed) -> _Entry:
    counts: Counter[str] = Counter()
    length = 0.0
    for text, weight in zip(listed.read().fields, WEIGHTS, strict=True):
        terms = text.split()
        length += len(terms)
        for term in terms:
            counts[term] += weight  # type: ignore[assignment]  # counts are weighted
    return _Entry(listed.digest, listed.number, counts, length)
