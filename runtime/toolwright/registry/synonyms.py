"""Names that stand for tools of other names: a Protocol, with two implementations that keep the same promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Synonyms(Protocol):
    """Names of tasks whose tool is another name's. `Store.get_tool` follows them from names without versions.

    A synonym ends by itself when a version of its name is admitted.
    """

    def add(self, name: str, tool: str) -> None:
        """Let `name` stand for the tool named `tool`, in the place of what it stood for before.

        Raises:
            AlreadyExists: `name` has versions of its own.
            NotFound: `tool` has none.
        """

    def remove(self, name: str) -> None:
        """Let `name` stand for nothing any more.

        Raises:
            NotFound: it did not.
        """

    def of(self, tool: str) -> Sequence[str]:
        """Return the names that stand for the tool named `tool`, in order."""
