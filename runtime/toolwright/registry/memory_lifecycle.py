"""`MemoryLifecycle`: tools' lives without a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from toolwright.registry.kept_lifecycle import KeptLifecycle
from toolwright.registry.rows import Row
from toolwright.registry.storable import taken


@dataclass(frozen=True, slots=True)
class ToolShelf:
    """The rows of a `MemoryStore` that have to do with tools; it and its lifecycle share them."""

    tasks: dict[str, Row] = field(default_factory=dict)
    versions: dict[str, Row] = field(default_factory=dict)
    """By digest."""
    by_name: dict[str, list[Row]] = field(default_factory=dict)
    """The same rows, by number."""
    verifications: dict[str, Row] = field(default_factory=dict)
    aliases: dict[tuple[str, str], Row] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)


class MemoryLifecycle(KeptLifecycle):
    """`Lifecycle` on the rows of a `MemoryStore`."""

    def __init__(
        self, shelf: ToolShelf, transaction: Callable[[], AbstractContextManager[None]], clock: Callable[[], float]
    ) -> None:
        """Use the rows of `shelf` in a `transaction`."""
        super().__init__(clock)
        self._shelf, self._transaction = shelf, transaction

    @contextmanager
    def _unit(self) -> Iterator[MemoryUnit]:
        with self._transaction():
            unit = MemoryUnit(self._shelf)
            yield unit
            unit.commit()

    _view = _unit


class MemoryUnit:
    """Implements `LifeUnit`. What is written is kept at its end, all or none; each step sees those before it."""

    def __init__(self, shelf: ToolShelf) -> None:
        """Read from `shelf`."""
        self._shelf = shelf
        self._versions: dict[str, Row] = {}
        self._steps: list[Callable[[], None]] = []

    def hold(self, name: str) -> None:
        """See `LifeUnit`: the store's lock is held."""

    def by_digest(self, digest: str) -> Row | None:
        """See `LifeUnit`."""
        row = self._shelf.versions.get(digest)
        return None if row is None else row | self._versions.get(digest, {})

    def by_number(self, name: str, number: int) -> Row | None:
        """See `LifeUnit`."""
        return next((row for row in self._shelf.by_name.get(name, ()) if row["number"] == number), None)

    def active_numbers(self, name: str) -> Sequence[int]:
        """See `LifeUnit`."""
        rows = self._shelf.by_name.get(name, ())
        return [row["number"] for row in reversed(rows) if row["state"] == "active"]

    def set_version(self, digest: str, change: Row) -> None:
        """See `LifeUnit`."""
        self._versions.setdefault(digest, {}).update(change)
        self._steps.append(lambda: self._shelf.versions[digest].update(change))

    def add_record(self, record: Row) -> None:
        """See `LifeUnit`."""
        key = record["verification_id"]
        if key in self._shelf.verifications:
            raise taken("verification record", key)
        self._steps.append(lambda: self._shelf.verifications.update({key: record}))

    def put_task(self, task: Row) -> None:
        """See `LifeUnit`."""
        self._steps.append(lambda: self._shelf.tasks.update({task["name"]: task}))

    def add_event(self, event: Row) -> None:
        """See `LifeUnit`."""
        self._steps.append(lambda: add_event(self._shelf, event))

    def events(self, name: str, after: int, limit: int | None) -> Sequence[Row]:
        """See `LifeUnit`."""
        return [row for row in self._shelf.events if row["name"] == name and row["seq"] > after][:limit]

    def aliases(self, *names: str) -> Sequence[Row]:
        """See `LifeUnit`."""
        return [row for (tool, _), row in sorted(self._shelf.aliases.items()) if tool in names]

    def put_alias(self, alias: Row) -> None:
        """See `LifeUnit`."""
        self._steps.append(lambda: self._shelf.aliases.update({(alias["name"], alias["alias"]): alias}))

    def drop_alias(self, name: str, alias: str) -> None:
        """See `LifeUnit`."""

        def drop() -> None:
            del self._shelf.aliases[name, alias]

        self._steps.append(drop)

    def commit(self) -> None:
        """Keep what was written."""
        for step in self._steps:
            step()


def add_event(shelf: ToolShelf, event: Row) -> None:
    """Keep an event, with the next id."""
    shelf.events.append(event | {"seq": len(shelf.events) + 1})
