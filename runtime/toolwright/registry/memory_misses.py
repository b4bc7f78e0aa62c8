"""Questions that no tool fits, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from toolwright.domain.miss import GroupState, Miss, MissGroup, Sketch
from toolwright.errors import NotFound
from toolwright.registry import miss_rows
from toolwright.registry.rows import Row, to_bytes
from toolwright.registry.storable import check_page, check_storable

_WAITING = frozenset({GroupState.OPEN.value, GroupState.UNMAKEABLE.value})


class MemoryMisses:
    """A `MissStore` that ends with the process. `transaction` is that of the store around it."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        """Begin empty."""
        self._transaction = transaction
        self._misses: dict[str, Row] = {}
        self._groups: dict[str, Row] = {}
        self._sketches: list[Row] = []
        self._sketched = 0

    def ask_again(self, tenant: str, question: str, *, at: float) -> Miss | None:
        """See `MissStore`."""
        with self._transaction():
            row = self._count_up(tenant, miss_rows.key_of(question), at)
            return None if row is None else miss_rows.miss_from(row)

    def add(self, miss: Miss, sketch: Sketch | None = None) -> Miss:
        """See `MissStore`."""
        row = miss_rows.miss_row(miss)
        with self._transaction():
            if (kept := self._count_up(miss.tenant, row["key"], miss.last_at)) is not None:
                return miss_rows.miss_from(kept)
            self._misses[miss.miss_id] = row
            self._groups.setdefault(miss.group_id, miss_rows.new_group_row(miss))
            if sketch is not None:
                self._sketched += 1
                self._sketches.append({"seq": self._sketched, **miss_rows.sketch_row(miss, sketch)})
            return miss

    def sketches(self, tenant: str, *, after: int = 0) -> Sequence[tuple[int, str, Sketch]]:
        """See `MissStore`."""
        with self._transaction():
            new = (row for row in self._sketches if row["seq"] > after and row["tenant"] == tenant)
            return [miss_rows.sketch_from(row) for row in new]

    def get(self, miss_id: str) -> Miss:
        """See `MissStore`."""
        with self._transaction():
            return miss_rows.miss_from(self._known(miss_id))

    def group(self, group_id: str) -> MissGroup:
        """See `MissStore`."""
        with self._transaction():
            if group_id not in self._groups:
                raise NotFound("group of misses", group_id)
            return self._group(self._groups[group_id])

    def list_groups(self, tenant: str, *, after: str = "", limit: int = 100) -> Sequence[MissGroup]:
        """See `MissStore`."""
        check_page(after, limit)
        with self._transaction():
            rows = (row for name, row in sorted(self._groups.items()) if name > after and row["tenant"] == tenant)
            return [self._group(row) for row in rows][:limit]

    def list_misses(self, group_id: str, *, after: str = "", limit: int = 100) -> Sequence[Miss]:
        """See `MissStore`."""
        check_page(after, limit)
        check_page(group_id, limit)
        with self._transaction():
            rows = sorted((row for row in self._of(group_id) if row["miss_id"] > after), key=lambda row: row["miss_id"])
            return [miss_rows.miss_from(row) for row in rows[:limit]]

    def answer(self, miss_id: str, answer: str, *, by: str, at: float) -> Miss:
        """See `MissStore`."""
        check_storable({"answered_at": at}, "miss")
        with self._transaction():
            row = self._known(miss_id)
            row.update(answer=to_bytes(answer), answered_by=to_bytes(by), answered_at=at)
            return miss_rows.miss_from(row)

    def answered(self, group_id: str, *, skip: int = 0, limit: int = 100) -> Sequence[Miss]:
        """See `MissStore`."""
        with self._transaction():
            rows = [row for row in self._of(group_id) if row["answer"]]
            return [miss_rows.miss_from(row) for row in rows[skip : skip + limit]]

    def prune(self, tenant: str, *, keep: int) -> int:
        """See `MissStore`."""
        with self._transaction():
            mine = [row for row in self._misses.values() if row["tenant"] == tenant]
            idle = [row for row in mine if self._groups[row["group_id"]]["state"] != GroupState.MAKING.value]
            gone = sorted(idle, key=lambda row: float(row["last_at"]))[: max(0, len(mine) - keep)]
            for row in gone:
                del self._misses[row["miss_id"]]
            if gone:
                self._forget_empty_groups(tenant)
            return len(gone)

    def name_group(self, group_id: str, name: str, description: str) -> bool:
        """See `MissStore`."""
        check_storable({"name": name}, "group")
        with self._transaction():
            row = self._groups.get(group_id)
            if row is None or row["name"] or any(other["name"] == name for other in self._groups.values()):
                return False
            row.update(name=name, description=to_bytes(description))
            return True

    def held_names(self) -> frozenset[str]:
        """See `MissStore`."""
        with self._transaction():
            rows = [row for row in self._groups.values() if row["state"] != GroupState.MADE.value]
            return frozenset(row["name"] for row in rows) - {""}

    def due(self, tenant: str, *, needed: int, now: float) -> Sequence[MissGroup]:
        """See `MissStore`."""
        with self._transaction():
            rows = [row for row in self._groups.values() if row["tenant"] == tenant and _may_begin(row, now)]
            return [group for group in map(self._group, rows) if group.answered >= needed]

    def claim(self, group_id: str, owner: str, *, now: float, until: float) -> bool:
        """See `MissStore`."""
        with self._transaction():
            row = self._groups.get(group_id)
            if row is None or not (_is_held(row, owner) or _may_begin(row, now)):
                return False
            row.update(state=GroupState.MAKING.value, owner=owner, lease_until=until)
            return True

    def settle(  # noqa: PLR0913 - what there is to say of an end
        self,
        group_id: str,
        owner: str,
        state: GroupState,
        *,
        tool: str = "",
        failure: str = "",
        not_before: float = 0.0,
        cost_usd: float = 0.0,
    ) -> bool:
        """See `MissStore`."""
        settled = miss_rows.settled_row(state, tool, failure, not_before)
        with self._transaction():
            row = self._groups.get(group_id)
            if row is None or not _is_held(row, owner):
                return False
            row["attempts"] += int(state is not GroupState.OPEN)
            row["cost_usd"] += cost_usd
            row.update(settled)
            return True

    def _forget_empty_groups(self, tenant: str) -> None:
        used = {row["group_id"] for row in self._misses.values()}
        for group_id, row in list(self._groups.items()):
            idle = row["tenant"] == tenant and not row["name"] and row["state"] == GroupState.OPEN.value
            if idle and group_id not in used:
                del self._groups[group_id]
        self._sketches = [row for row in self._sketches if row["group_id"] in self._groups]

    def _of(self, group_id: str) -> Iterator[Row]:
        return (row for row in self._misses.values() if row["group_id"] == group_id)

    def _known(self, miss_id: str) -> Row:
        if miss_id not in self._misses:
            raise NotFound("miss", miss_id)
        return self._misses[miss_id]

    def _count_up(self, tenant: str, key: str, at: float) -> Row | None:
        for row in self._misses.values():
            if row["key"] == key and row["tenant"] == tenant:
                row["count"] += 1
                row["last_at"] = at
                return row
        return None

    def _group(self, row: Row) -> MissGroup:
        mine = list(self._of(row["group_id"]))
        answered = sum(1 for miss in mine if miss["answer"])
        return miss_rows.group_from(row, (len(mine), sum(miss["count"] for miss in mine), answered))


def _is_held(row: Row, owner: str) -> bool:
    return bool(row["state"] == GroupState.MAKING.value and row["owner"] == owner)


def _may_begin(row: Row, now: float) -> bool:
    if row["state"] == GroupState.MAKING.value:
        return bool(row["lease_until"] <= now)
    return row["state"] in _WAITING and bool(row["not_before"] <= now)
