"""What all pages of a listing have."""

from __future__ import annotations

from typing import Protocol, TypeVar


class _Paged(Protocol):
    @property
    def next_page_token(self) -> str:
        """What the next page is asked for with; empty on the last."""


Page = TypeVar("Page", bound=_Paged)
"""A reply that is one page of a listing."""
