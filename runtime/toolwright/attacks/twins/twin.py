"""One harmless twin: what an honest tool does, and the exact result that it has to come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Twin:
    """Harmless work that has to succeed with every layer of the sandbox on."""

    name: str
    """What it does, in a few words."""
    source: str
    """Defines `f`, which asserts nothing: what it found is what it returns."""
    expected: Any
    """The result, as JSON gives it back."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of `f`."""
    needs: tuple[str, ...] = ()
    """System calls that it fails without, under a runtime that applies the container's profile."""
    printed: int = 0
    """Bytes that it prints. Beyond the limit on output they are counted and dropped, and that is said."""
    image: str = "python"
    """The recipe of the image that it runs in."""
    not_under: Mapping[str, str] = field(default_factory=dict)
    """Runtime → why it fails there. That is no promise: it is checked, so that the reason stays true."""
