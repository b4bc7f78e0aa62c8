"""What each method of `Lifecycle` does, whatever it is kept in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import NamedTuple, Protocol

from toolwright.domain.lifecycle import (
    CANARY,
    STABLE,
    Alias,
    EventKind,
    Origin,
    ToolEvent,
    check_alias,
    check_approver,
    check_change,
    earlier_targets,
)
from toolwright.domain.record import VerificationRecord
from toolwright.domain.source import check_tool_name
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import InvalidInput, NotFound, NotReady
from toolwright.registry import lifecycle_rows, tool_rows
from toolwright.registry.admissible import check_admissible
from toolwright.registry.rows import Row
from toolwright.registry.storable import check_page, is_storable_text

_APPROVABLE = (ToolState.VERIFIED, ToolState.QUARANTINED)


class _Why(NamedTuple):
    """Who does it, and for what reason."""

    actor: str
    reason: str


class LifeUnit(Protocol):
    """One transaction on the tools of a registry."""

    def hold(self, name: str) -> None:
        """Keep others from changing anything of the tool `name` until the transaction ends."""

    def by_digest(self, digest: str) -> Row | None:
        """Return a version."""

    def by_number(self, name: str, number: int) -> Row | None:
        """Return a version."""

    def active_numbers(self, name: str) -> Sequence[int]:
        """Return the active versions of a name, newest first."""

    def set_version(self, digest: str, change: Row) -> None:
        """Change columns of a version that are not under its digest."""

    def add_record(self, record: Row) -> None:
        """Keep a verification record. Raises AlreadyExists if its id is taken."""

    def put_task(self, task: Row) -> None:
        """Keep a task in place of the one of its name."""

    def add_event(self, event: Row) -> None:
        """Keep an event."""

    def events(self, name: str, after: int, limit: int | None) -> Sequence[Row]:
        """Return events of a name, oldest first."""

    def aliases(self, name: str) -> Sequence[Row]:
        """Return aliases of a name, by alias."""

    def put_alias(self, alias: Row) -> None:
        """Keep an alias in place of the one of its name."""

    def drop_alias(self, name: str, alias: str) -> None:
        """Remove an alias."""


class KeptLifecycle(ABC):
    """Implements `Lifecycle` on units of work."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Note times of `clock`, in seconds since 1970, UTC."""
        self._clock = clock

    @abstractmethod
    def _unit(self) -> AbstractContextManager[LifeUnit]:
        """Return a transaction, which an exception undoes."""

    @abstractmethod
    def _view(self) -> AbstractContextManager[LifeUnit]:
        """Return a transaction that only reads."""

    def change_state(
        self, digest: str, to: ToolState, *, actor: str, reason: str, expected: ToolState | None = None
    ) -> RegisteredTool:
        """See `Lifecycle`."""
        with self._unit() as unit:
            tool = _held(unit, digest)
            check_change(tool.reference, tool.state, to, expected)
            self._move(unit, tool, to, _Why(actor, reason))
            return _read(unit, digest)

    def approve(self, digest: str, *, actor: str, reason: str, persons: int) -> RegisteredTool:
        """See `Lifecycle`."""
        with self._unit() as unit:
            tool = _held(unit, digest)
            if tool.state not in _APPROVABLE:
                raise NotReady(
                    f"{tool.reference} is {tool.state.value}; a version is approved that is verified or quarantined"
                )
            happened = [event for event in _events(unit, tool.version.name) if event.digest == digest]
            approved = check_approver(tool.reference, actor, happened)
            unit.add_event(lifecycle_rows.event_row(self._event(tool, EventKind.APPROVED, _Why(actor, reason))))
            if approved >= persons:
                self._move(unit, tool, ToolState.ACTIVE, _Why(actor, reason))
            return _read(unit, digest)

    def renew(
        self, record: VerificationRecord, task: Task, *, actor: str, reason: str, to: ToolState | None = None
    ) -> RegisteredTool:
        """See `Lifecycle`."""
        record_row, task_row = tool_rows.verification_row(record), tool_rows.task_row(task)
        with self._unit() as unit:
            tool = _held(unit, record.tool_digest)
            check_admissible(tool.version, record, task)
            unit.add_record(record_row)
            unit.set_version(record.tool_digest, {"verification_id": record.verification_id})
            unit.put_task(task_row)
            unit.add_event(lifecycle_rows.event_row(self._event(tool, EventKind.VERIFIED, _Why(actor, reason))))
            if to is not None and to is not tool.state:
                check_change(tool.reference, tool.state, to)
                self._move(unit, tool, to, _Why(actor, reason))
            return _read(unit, record.tool_digest)

    def events(self, name: str, *, after: int = 0, limit: int = 1_000) -> Sequence[ToolEvent]:
        """See `Lifecycle`."""
        check_page("", limit)
        if not is_storable_text(name):
            return []
        with self._view() as unit:
            return [lifecycle_rows.event_from(row) for row in unit.events(name, after, limit)]

    def aliases(self, name: str) -> Sequence[Alias]:
        """See `Lifecycle`."""
        if not is_storable_text(name):
            return []
        with self._view() as unit:
            return [lifecycle_rows.alias_from(row) for row in unit.aliases(name)]

    def set_alias(self, alias: Alias, *, actor: str, reason: str) -> Alias:
        """See `Lifecycle`."""
        check_tool_name(alias.name)
        check_alias(alias.alias)
        _check_share(alias)
        with self._unit() as unit:
            _target(unit, alias)
            unit.hold(alias.name)
            self._point(unit, alias, EventKind.ALIAS, _Why(actor, reason))
        return alias

    def remove_alias(self, name: str, alias: str, *, actor: str, reason: str) -> None:
        """See `Lifecycle`."""
        check_tool_name(name)
        check_alias(alias)
        with self._unit() as unit:
            if not unit.aliases(name):
                raise NotFound("alias", f"{name}@{alias}")
            unit.hold(name)
            before = _pointed_at(unit, name, alias)
            if before is None:
                raise NotFound("alias", f"{name}@{alias}")
            unit.drop_alias(name, alias)
            event = ToolEvent(
                self._clock(), name, 0, "", EventKind.ALIAS, actor, reason, alias=alias, from_number=before.number
            )
            unit.add_event(lifecycle_rows.event_row(event))

    def rollback(self, name: str, *, actor: str, reason: str) -> Alias:
        """See `Lifecycle`."""
        check_tool_name(name)
        with self._unit() as unit:
            if unit.by_number(name, 1) is None:
                raise NotFound("tool", name)
            unit.hold(name)
            active = unit.active_numbers(name)
            if _pointed_at(unit, name, STABLE) is None:
                before = list(active[1:])
            else:
                before = [number for number in earlier_targets(_events(unit, name)) if number in active]
            if not before:
                raise NotReady(
                    f"{name} has no earlier active version to go back to; "
                    f"point {name}@{STABLE} at one that is active: {', '.join(map(str, active)) or 'there is none'}"
                )
            back = Alias(name, STABLE, before[0])
            self._point(unit, back, EventKind.ROLLBACK, _Why(actor, reason))
            return back

    def _point(self, unit: LifeUnit, alias: Alias, kind: EventKind, why: _Why) -> None:
        target = _target(unit, alias)
        if target.state is not ToolState.ACTIVE:
            raise NotReady(f"{target.reference} is {target.state.value}; an alias points at an active version")
        before = _pointed_at(unit, alias.name, alias.alias)
        event = replace(
            self._event(target, kind, why),
            alias=alias.alias,
            from_number=before.number if before else None,
            share=alias.share,
        )
        unit.put_alias(lifecycle_rows.alias_row(alias))
        unit.add_event(lifecycle_rows.event_row(event))

    def _move(self, unit: LifeUnit, tool: RegisteredTool, to: ToolState, why: _Why) -> None:
        event = replace(self._event(tool, EventKind.STATE, why), from_state=tool.state, to_state=to)
        unit.set_version(tool.version.digest, {"state": to.value})
        unit.add_event(lifecycle_rows.event_row(event))

    def _event(self, tool: RegisteredTool, kind: EventKind, why: _Why) -> ToolEvent:
        version = tool.version
        return ToolEvent(self._clock(), version.name, tool.number, version.digest, kind, why.actor, why.reason)


def admitted_row(tool: Row, at: float, origin: Origin) -> Row:
    """Return the event that a version was admitted, from the version's row."""
    event = ToolEvent(
        at,
        tool["name"],
        tool["number"],
        tool["digest"],
        EventKind.ADMITTED,
        origin.actor,
        origin.reason,
        ToolState.DRAFT,
        ToolState(tool["state"]),
    )
    return lifecycle_rows.event_row(event)


def _held(unit: LifeUnit, digest: str) -> RegisteredTool:
    unit.hold(_read(unit, digest).version.name)
    return _read(unit, digest)


def _read(unit: LifeUnit, digest: str) -> RegisteredTool:
    row = unit.by_digest(digest)
    if row is None:
        raise NotFound("tool", digest)
    return tool_rows.registered_from(row)


def _target(unit: LifeUnit, alias: Alias) -> RegisteredTool:
    row = unit.by_number(alias.name, alias.number)
    if row is None:
        raise NotFound("tool", f"{alias.name}@{alias.number}")
    return tool_rows.registered_from(row)


def _events(unit: LifeUnit, name: str) -> list[ToolEvent]:
    return [lifecycle_rows.event_from(row) for row in unit.events(name, 0, None)]


def _pointed_at(unit: LifeUnit, name: str, alias: str) -> Alias | None:
    rows = (lifecycle_rows.alias_from(row) for row in unit.aliases(name))
    return next((one for one in rows if one.alias == alias), None)


def _check_share(alias: Alias) -> None:
    if not 0 <= alias.share <= 1:
        raise InvalidInput("share", f"is {alias.share}", "0 to 1")
    if alias.share and alias.alias != CANARY:
        raise InvalidInput(
            "share", f"is {alias.share} for {alias.alias!r}", f"only {CANARY!r} has a share of the calls"
        )
