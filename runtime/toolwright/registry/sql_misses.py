"""Questions that no tool fits, in a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, literal, select, update

from toolwright.domain.miss import GroupState, Miss, MissGroup, Sketch
from toolwright.errors import NotFound
from toolwright.registry import miss_rows
from toolwright.registry.database import Database
from toolwright.registry.misses import Counts
from toolwright.registry.rows import Row, to_bytes
from toolwright.registry.statements import fetch_all, fetch_first, find, insert_unless_there
from toolwright.registry.storable import check_page, check_storable, is_storable_text
from toolwright.registry.tables import MISS_GROUPS, MISS_SKETCHES, MISSES

_GROUPS, _MISSES = MISS_GROUPS.c, MISSES.c
_AT_ONCE = 500
"""Rows in one statement; databases take a bounded number of values."""
_HAS_ANSWER = func.length(_MISSES.answer) > 0


class SqlMisses:
    """A `MissStore` in a database."""

    def __init__(self, database: Database) -> None:
        """Keep misses in `database`, whose schema is up to date."""
        self._database = database

    def ask_again(self, tenant: str, question: str, *, at: float) -> Miss | None:
        """See `MissStore`."""
        if not is_storable_text(tenant):
            return None
        with self._database.writing() as connection:
            row = _count_up(connection, tenant, miss_rows.key_of(question), at)
            return None if row is None else miss_rows.miss_from(row)

    def add(self, miss: Miss, sketch: Sketch | None = None) -> Miss:
        """See `MissStore`."""
        row = miss_rows.miss_row(miss)
        with self._database.writing() as connection:
            if not insert_unless_there(connection, MISSES, row):
                kept = _count_up(connection, miss.tenant, row["key"], miss.last_at)
                return miss_rows.miss_from(kept if kept is not None else row)
            # The row is written to, so that it is not forgotten as one without misses before this one is in sight.
            there = update(MISS_GROUPS).where(_GROUPS.group_id == miss.group_id).values(tenant=miss.tenant)
            if connection.execute(there).rowcount == 0:
                insert_unless_there(connection, MISS_GROUPS, miss_rows.new_group_row(miss))
            if sketch is not None:
                connection.execute(insert(MISS_SKETCHES), miss_rows.sketch_row(miss, sketch))
            return miss

    def sketches(self, tenant: str, *, after: int = 0) -> Sequence[tuple[int, str, Sketch]]:
        """See `MissStore`."""
        columns = MISS_SKETCHES.c
        query = select(MISS_SKETCHES).where(columns.tenant == tenant, columns.seq > after).order_by(columns.seq)
        with self._database.reading() as connection:
            return [miss_rows.sketch_from(row) for row in fetch_all(connection, query)]

    def get(self, miss_id: str) -> Miss:
        """See `MissStore`."""
        with self._database.reading() as connection:
            return miss_rows.miss_from(_known(find(connection, MISSES, _MISSES.miss_id, miss_id), "miss", miss_id))

    def group(self, group_id: str) -> MissGroup:
        """See `MissStore`."""
        with self._database.reading() as connection:
            row = _known(find(connection, MISS_GROUPS, _GROUPS.group_id, group_id), "group of misses", group_id)
            return next(_with_counts(connection, [row]))

    def list_groups(self, tenant: str, *, after: str = "", limit: int = 100) -> Sequence[MissGroup]:
        """See `MissStore`."""
        check_page(after, limit)
        query = select(MISS_GROUPS).where(_GROUPS.tenant == tenant, _GROUPS.group_id > after)
        with self._database.reading() as connection:
            rows = list(fetch_all(connection, query.order_by(_GROUPS.group_id).limit(limit)))
            return list(_with_counts(connection, rows))

    def list_misses(self, group_id: str, *, after: str = "", limit: int = 100) -> Sequence[Miss]:
        """See `MissStore`."""
        check_page(after, limit)
        check_page(group_id, limit)
        query = select(MISSES).where(_MISSES.group_id == group_id, _MISSES.miss_id > after)
        with self._database.reading() as connection:
            rows = fetch_all(connection, query.order_by(_MISSES.miss_id).limit(limit))
            return [miss_rows.miss_from(row) for row in rows]

    def answer(self, miss_id: str, answer: str, *, by: str, at: float) -> Miss:
        """See `MissStore`."""
        check_storable({"answered_at": at}, "miss")
        values = {"answer": to_bytes(answer), "answered_by": to_bytes(by), "answered_at": at}
        with self._database.writing() as connection:
            _known(find(connection, MISSES, _MISSES.miss_id, miss_id), "miss", miss_id)
            connection.execute(update(MISSES).where(_MISSES.miss_id == miss_id).values(values))
            return miss_rows.miss_from(_known(find(connection, MISSES, _MISSES.miss_id, miss_id), "miss", miss_id))

    def answered(self, group_id: str, *, skip: int = 0, limit: int = 100) -> Sequence[Miss]:
        """See `MissStore`."""
        query = select(MISSES).where(_MISSES.group_id == group_id, _HAS_ANSWER).order_by(_MISSES.seq)
        with self._database.reading() as connection:
            return [miss_rows.miss_from(row) for row in fetch_all(connection, query.offset(skip).limit(limit))]

    def prune(self, tenant: str, *, keep: int) -> int:
        """See `MissStore`."""
        mine = _MISSES.tenant == tenant
        busy = select(_GROUPS.group_id).where(_GROUPS.state == GroupState.MAKING.value)
        with self._database.writing() as connection:
            excess = connection.execute(select(func.count()).select_from(MISSES).where(mine)).scalar_one() - keep
            if excess <= 0:
                return 0
            oldest = select(_MISSES.seq).where(mine, _MISSES.group_id.not_in(busy)).order_by(_MISSES.last_at)
            gone = connection.execute(delete(MISSES).where(_MISSES.seq.in_(oldest.limit(excess))))
            _forget_empty_groups(connection, tenant)
            return gone.rowcount

    def name_group(self, group_id: str, name: str, description: str) -> bool:
        """See `MissStore`."""
        check_storable({"name": name}, "group")
        values = {"name": name, "description": to_bytes(description)}
        # Not two groups at once: each writer first holds all rows in which a name could be taken.
        with self._database.writing() as connection:
            rows = fetch_all(connection, select(_GROUPS.group_id, _GROUPS.name).with_for_update())
            names = {row["group_id"]: row["name"] for row in rows}
            if names.get(group_id) != "" or name in names.values():
                return False
            connection.execute(update(MISS_GROUPS).where(_GROUPS.group_id == group_id).values(values))
            return True

    def held_names(self) -> frozenset[str]:
        """See `MissStore`."""
        query = select(_GROUPS.name).where(_GROUPS.state != GroupState.MADE.value, _GROUPS.name != "")
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def due(self, tenant: str, *, needed: int, now: float) -> Sequence[MissGroup]:
        """See `MissStore`."""
        full = select(_MISSES.group_id).where(_HAS_ANSWER).group_by(_MISSES.group_id).having(func.count() >= needed)
        query = select(MISS_GROUPS).where(_GROUPS.tenant == tenant, _may_begin(now), _GROUPS.group_id.in_(full))
        with self._database.reading() as connection:
            rows = list(fetch_all(connection, query.order_by(_GROUPS.seq)))
            return list(_with_counts(connection, rows))

    def claim(self, group_id: str, owner: str, *, now: float, until: float) -> bool:
        """See `MissStore`."""
        values = {"state": GroupState.MAKING.value, "owner": owner, "lease_until": until}
        mine = (_GROUPS.state == GroupState.MAKING.value) & (_GROUPS.owner == owner)
        change = update(MISS_GROUPS).where(_GROUPS.group_id == group_id, mine | _may_begin(now))
        with self._database.writing() as connection:
            return connection.execute(change.values(values)).rowcount == 1

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
        row = miss_rows.settled_row(state, tool, failure, not_before)
        attempts = _GROUPS.attempts + int(state is not GroupState.OPEN)
        held = (_GROUPS.group_id == group_id) & (_GROUPS.owner == owner)
        change = update(MISS_GROUPS).where(held, _GROUPS.state == GroupState.MAKING.value)
        with self._database.writing() as connection:
            changed = connection.execute(
                change.values({**row, "attempts": attempts, "cost_usd": _GROUPS.cost_usd + literal(cost_usd)})
            )
            return changed.rowcount == 1


def _may_begin(now: float) -> ColumnElement[bool]:
    interrupted = (_GROUPS.state == GroupState.MAKING.value) & (_GROUPS.lease_until <= now)
    waiting = _GROUPS.state.in_([GroupState.OPEN.value, GroupState.UNMAKEABLE.value]) & (_GROUPS.not_before <= now)
    return interrupted | waiting


def _forget_empty_groups(connection: Connection, tenant: str) -> None:
    """Delete groups that have no misses any more, and no making to tell of, with their sketches."""
    used = select(_MISSES.group_id).where(_MISSES.group_id == _GROUPS.group_id).exists()
    idle = (_GROUPS.tenant == tenant) & (_GROUPS.name == "") & (_GROUPS.state == GroupState.OPEN.value)
    # Held first and looked at again then: another server may be adding to one.
    held = list(connection.execute(select(_GROUPS.seq).where(idle, ~used).with_for_update()).scalars())
    sketches = MISS_SKETCHES.c
    newest = select(func.max(sketches.seq)).scalar_subquery()
    for start in range(0, len(held), _AT_ONCE):
        these = _GROUPS.seq.in_(held[start : start + _AT_ONCE])
        connection.execute(delete(MISS_GROUPS).where(these, idle, ~used))
    groups = select(_GROUPS.group_id).where(_GROUPS.group_id == sketches.group_id).exists()
    # The newest stays: its number would be given again, and whoever has read up to it would not see the next.
    connection.execute(delete(MISS_SKETCHES).where(sketches.tenant == tenant, ~groups, sketches.seq < newest))


def _count_up(connection: Connection, tenant: str, key: str, at: float) -> Row | None:
    same = (_MISSES.tenant == tenant) & (_MISSES.key == key)
    change = update(MISSES).where(same).values({"count": _MISSES.count + 1, "last_at": at})
    if connection.execute(change).rowcount == 0:
        return None
    return fetch_first(connection, select(MISSES).where(same))


def _known(row: Row | None, kind: str, name: str) -> Row:
    if row is None:
        raise NotFound(kind, name)
    return row


def _with_counts(connection: Connection, rows: Sequence[Row]) -> Iterator[MissGroup]:
    counts = _counts(connection, [row["group_id"] for row in rows])
    return (miss_rows.group_from(row, counts.get(row["group_id"], (0, 0, 0))) for row in rows)


def _counts(connection: Connection, groups: Sequence[str]) -> Counts:
    answered = func.sum(case((_HAS_ANSWER, 1), else_=0))
    query = select(_MISSES.group_id, func.count(), func.sum(_MISSES.count), answered)
    rows = connection.execute(query.where(_MISSES.group_id.in_(groups)).group_by(_MISSES.group_id))
    return {group: (int(misses), int(asked), int(with_answer)) for group, misses, asked, with_answer in rows}
