"""Embeddings: texts as vectors, and how alike two are."""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Sequence
from typing import Protocol

from toolwright.errors import ModelReplyInvalid

MAX_DIMENSIONS = 8_192
MAX_BATCH = 64
"""Texts in one request."""


class Embedder(Protocol):
    """A model that turns texts into vectors."""

    @property
    def name(self) -> str:
        """Model name as the endpoint knows it."""

    def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Return a vector of length 1 for each text, as 32-bit floats.

        Raises:
            ModelError: the endpoint failed, or its reply is none.
        """


def unit_vector(values: Sequence[float]) -> bytes:
    """Return `values` scaled to length 1, as 32-bit floats.

    Raises:
        ModelReplyInvalid: they are no vector.
    """
    if not 0 < len(values) <= MAX_DIMENSIONS or not all(isinstance(value, int | float) for value in values):
        raise ModelReplyInvalid(f"an embedding has {len(values)} values")
    length = math.sqrt(math.fsum(value * value for value in values))
    if not math.isfinite(length) or length == 0:
        raise ModelReplyInvalid("an embedding has no direction")
    return array("f", [value / length for value in values]).tobytes()


def floats(vector: bytes) -> array[float]:
    """Return the values of a vector."""
    values = array("f")
    values.frombytes(vector[: len(vector) - len(vector) % values.itemsize])
    return values


def cosine(one: array[float], other: array[float]) -> float:
    """Return how much two vectors of length 1 agree: 1 for the same direction; 0 if they are of different kinds."""
    if len(one) != len(other):
        return 0.0
    return float(sum(map(operator.mul, one, other)))
