"""Which questions are of one kind, without a model: what changes from one to the next is masked, the rest compared."""

from __future__ import annotations

import re
import threading
import zlib
from array import array
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import pairwise

from toolwright.domain.miss import Sketch
from toolwright.llm.embeddings import cosine, floats
from toolwright.registry.misses import MissStore

FIRST_MEMBERS = 8
"""Sketches that are kept of a group: its first questions speak for it."""
MAX_SKETCHES = 4_000
"""Sketches that a question is compared with. Beyond, the groups that were not asked of for longest are compared no more
and a question of their kind begins a new one. Else whoever asks ever new things makes each question dearer than the
last."""
MAX_HASHES = 512
ALIKE = 0.15
"""Shared part of word pairs from which questions count as of a kind. Among the paper's six tasks, questions of one task
share 0.13 to 1.0 (with the likest of several always more than this), and questions of two tasks at most 0.11."""
ALIKE_VECTORS = 0.82
"""The same for embeddings."""
_MAX_CHARS = 16_384
_QUOTED = re.compile(r'"[^"\n]{0,500}"|“[^”\n]{0,500}”')
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_SIGN = re.compile(r"[^\W_]+(?:['’][a-z]+)?|[^\w\s]")
_SENTENCE_ENDS = frozenset(".!?:")
_MASKS = frozenset('#"^b')


def sketch_of(question: str, vector: bytes = b"") -> Sketch:
    """Return what is compared of `question`: its words and pairs of words, with what is particular to it masked."""
    words = _masked(question[:_MAX_CHARS])
    shingles = {*words, *(f"{one} {other}" for one, other in pairwise(words))}
    hashes = sorted(zlib.crc32(shingle.encode("utf-8", "replace")) for shingle in shingles)
    return Sketch(frozenset(hashes[:MAX_HASHES]), vector)


def likeness(one: Sketch, other: Sketch) -> float:
    """Return the shared part of two questions' words and pairs of words, from 0 to 1."""
    common = len(one.hashes & other.hashes)
    every = len(one.hashes) + len(other.hashes) - common
    return common / every if every else 0.0


@dataclass(slots=True)
class _Kind:
    sketches: list[Sketch] = field(default_factory=list)
    vectors: list[array[float]] = field(default_factory=list)


class Grouping:
    """Finds the group of a question, reading what is new since the last time. Safe to use from many threads."""

    def __init__(self, misses: MissStore, tenant: str, *, most: int = MAX_SKETCHES) -> None:
        """Group the misses of `tenant`, by comparison with `most` sketches of earlier ones."""
        self._misses, self._tenant, self._most = misses, tenant, most
        self._lock = threading.Lock()
        self._read = 0
        self._kinds: OrderedDict[str, _Kind] = OrderedDict()
        self._sketches = 0

    @property
    def compared(self) -> int:
        """How many sketches a question is compared with."""
        return self._sketches

    def group_of(self, sketch: Sketch) -> tuple[str, bool]:
        """Return the id of the group that is likest, empty if none is like enough; and whether it wants the sketch."""
        vector = floats(sketch.vector) if sketch.vector else None
        with self._lock:
            self._refresh()
            best, group = 0.0, ""
            for name, kind in self._kinds.items():
                score = max((likeness(sketch, other) for other in kind.sketches), default=0.0) / ALIKE
                if vector is not None and kind.vectors:
                    score = max(score, max(cosine(vector, other) for other in kind.vectors) / ALIKE_VECTORS)
                if score > best:
                    best, group = score, name
            if best < 1.0:
                return "", True
            self._kinds.move_to_end(group)
            return group, len(self._kinds[group].sketches) < FIRST_MEMBERS

    def _refresh(self) -> None:
        for number, group, sketch in self._misses.sketches(self._tenant, after=self._read):
            self._read = number
            kind = self._kinds.setdefault(group, _Kind())
            if len(kind.sketches) < FIRST_MEMBERS:
                kind.sketches.append(sketch)
                self._sketches += 1
                if sketch.vector:
                    kind.vectors.append(floats(sketch.vector))
            while self._sketches > self._most:
                self._sketches -= len(self._kinds.popitem(last=False)[1].sketches)


def _masked(question: str) -> list[str]:
    """Return the words of `question`, with a mark for each number, quotation, proper name and bracket."""
    words: list[str] = []
    text = _NUMBER.sub(" # ", _QUOTED.sub(' " ', question))
    for line in text.splitlines():
        before = "."
        for match in _SIGN.finditer(line):
            sign = match[0]
            word = _mark(sign, begins=before in _SENTENCE_ENDS)
            before = sign
            # A row of masked things is one: how many there are differs from question to question.
            if word and not (word in _MASKS and words and words[-1] == word):
                words.append(word)
    return words


def _mark(sign: str, *, begins: bool) -> str:
    if sign[0].isalpha():
        return "^" if sign[0].isupper() and not begins else sign.casefold()
    if sign in "()[]{}<>":
        return "b"
    return sign if sign in '#"' else ""
