"""Whether a making is still ours to work on."""

from __future__ import annotations

from typing import Protocol

from toolwright.registry.jobs import Progress


class LetGo(Exception):
    """The making is not ours any more: another server has it, or this one ends. Nothing more may be recorded."""


class Hold(Protocol):
    """The claim of one server on one making."""

    @property
    def let_go(self) -> bool:
        """Whether the making is not ours any more."""

    def check(self) -> None:
        """Make sure of the claim, before what cannot be taken back.

        Raises:
            LetGo: the making is not ours any more.
        """

    def note(self, progress: Progress) -> None:
        """Tell how far the making has come."""


class Unheld:
    """The claim on a making that nobody else knows of."""

    let_go = False

    def check(self) -> None:
        """See `Hold`."""

    def note(self, progress: Progress) -> None:
        """See `Hold`."""
