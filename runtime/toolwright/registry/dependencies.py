"""Which tools are made from which, and whether those may be used."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from toolwright.domain.tool import Standing


class Dependencies(Protocol):
    """What is kept of tools made from tools, beside the versions themselves; reached as `Store.dependencies`.

    `Store.admit` writes it. Each method is one transaction, and raises `StoreUnavailable` when the store cannot be
    read, and after `close`.
    """

    def standings(self, digests: Collection[str]) -> Mapping[str, Standing]:
        """Return where each of these versions is in its life, by digest; one that is not kept is left out."""

    def dependants(self, digest: str) -> Sequence[Standing]:
        """Return all versions made from this one, those made from them included, by name and number.

        None of them is run while this one is not active.
        """
