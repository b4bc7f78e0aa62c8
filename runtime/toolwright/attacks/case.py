"""One case of the attack matrix, and the catalogs that cases are written down in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from toolwright.attacks.lab import Lab

Fire = Callable[[Lab], None]
"""Fires at the lab's sandboxes; raises `Broken` or `NotProven`, or returns."""
RUNTIMES: Final = ("runc", "runsc")
"""The runtimes that cases have golden results for."""


@dataclass(frozen=True, slots=True)
class Known:
    """A failure that is known: who cares for it, since when, and why it is so."""

    reason: str
    owner: str
    since: str
    """Date, ISO 8601."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a tool does, and what must be seen from outside."""

    id: str
    title: str
    """One sentence: what it does, and what has to come of it."""
    attack: Fire
    threats: tuple[str, ...]
    """Ids in the threat model."""
    control: Fire | None = None
    """Shows that the attack's probe can see: the same probe where a layer is taken away, or its harmless twin."""
    control_runtimes: tuple[str, ...] = RUNTIMES
    """Where the control is run. The layers that it takes away may not exist elsewhere."""
    runtimes: tuple[str, ...] = RUNTIMES
    """Where it makes sense at all."""
    differs: Mapping[str, str] = field(default_factory=dict)
    """Runtime → how its golden result differs from runc's, and why."""
    known: Mapping[str, Known] = field(default_factory=dict)
    """Runtime → why it is known to fail there."""


class Catalog:
    """The cases of one section, by id, in the order in which they are written down."""

    def __init__(self, section: str, title: str) -> None:
        """Begin a section whose ids start with `section`."""
        self.section = section
        self.title = title
        self._cases: dict[str, Case] = {}

    def __iter__(self) -> Iterator[Case]:
        return iter(self._cases.values())

    def case(
        self,
        id: str,  # noqa: A002 - the word of the matrix
        title: str,
        *,
        threats: tuple[str, ...],
        runtimes: tuple[str, ...] = RUNTIMES,
        differs: Mapping[str, str] | None = None,
        known: Mapping[str, Known] | None = None,
    ) -> Callable[[Fire], Fire]:
        """Write down a case whose attack is the decorated function.

        Raises:
            ValueError: the id is of another section, or taken.
        """
        if not id.startswith(f"{self.section}-") or id in self._cases:
            raise ValueError(f"id {id!r} is taken or not of section {self.section}")

        def add(attack: Fire) -> Fire:
            notes, faults = MappingProxyType(dict(differs or {})), MappingProxyType(dict(known or {}))
            self._cases[id] = Case(id, title, attack, threats, runtimes=runtimes, differs=notes, known=faults)
            return attack

        return add

    def control(
        self,
        id: str,  # noqa: A002 - the word of the matrix
        *,
        runtimes: tuple[str, ...] = RUNTIMES,
    ) -> Callable[[Fire], Fire]:
        """Write down the control of a case: it has to return, else the attack's denial proves nothing."""

        def add(control: Fire) -> Fire:
            self._cases[id] = replace(self._cases[id], control=control, control_runtimes=runtimes)
            return control

        return add
