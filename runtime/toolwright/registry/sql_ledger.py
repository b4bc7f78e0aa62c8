"""`SqlLedger`: what models cost, in a `Database`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, case, func, literal_column, or_, select

from toolwright.domain.cost_series import Step, series_of
from toolwright.domain.ledger import (
    EVERYTHING,
    Baseline,
    CostFilter,
    CostKey,
    CostSum,
    Part,
    Series,
    Spent,
    TaskCosts,
    check_points,
    rounded_usd,
)
from toolwright.domain.record import ModelUse, Role
from toolwright.registry.database import Database
from toolwright.registry.log_rows import check_filter, label_row, model_use_row
from toolwright.registry.prepared import insert_all
from toolwright.registry.rows import Row
from toolwright.registry.statements import fetch_all, put
from toolwright.registry.tables import MODEL_USE_LABELS, MODEL_USES

_USING = "using"


class SqlLedger:
    """A `Ledger` in a database."""

    def __init__(self, database: Database) -> None:
        """Use `database`, whose schema is current."""
        self._database = database
        self._insert = database.prepare(insert_all(MODEL_USES))

    def add(self, use: ModelUse) -> None:
        """See `Ledger`."""
        self._insert(model_use_row(use))

    def file_under(self, label: str, task: str) -> None:
        """See `Ledger`."""
        row = label_row(label, task)
        with self._database.writing() as connection:
            put(connection, MODEL_USE_LABELS, MODEL_USE_LABELS.c.label, row)

    def sums(self, by: Sequence[CostKey] = (), within: CostFilter = EVERYTHING) -> Sequence[CostSum]:
        """See `Ledger`."""
        check_filter(within)
        entries = _entries(within)
        columns, key = entries.c, [entries.c[name.value] for name in by]
        unpriced = case((columns.priced, 0), else_=1)
        query = select(
            *key,
            func.count().label("calls"),
            *_exact_sum("prompt", columns.prompt_tokens),
            *_exact_sum("completion", columns.completion_tokens),
            func.sum(columns.cost_usd).label("cost_usd"),
            func.sum(columns.seconds).label("seconds"),
            func.sum(unpriced).label("unpriced_calls"),
            *_exact_sum("unpriced", case((columns.priced, 0), else_=columns.prompt_tokens)),
            *_exact_sum("unpriced_reply", case((columns.priced, 0), else_=columns.completion_tokens)),
        ).group_by(*key)
        with self._database.reading() as connection:
            rows = [row for row in _uncached(connection, query) if row["calls"]]
        return sorted((_sum_from(by, row) for row in rows), key=lambda found: found.key)

    def by_task(self, within: CostFilter = EVERYTHING) -> Sequence[TaskCosts]:
        """See `Ledger`."""
        check_filter(within)
        columns = _entries(within).c
        query = select(
            columns.task,
            columns.part,
            func.count().label("calls"),
            func.sum(columns.cost_usd).label("cost_usd"),
            func.sum(case((columns.priced, 0), else_=1)).label("unpriced_calls"),
            func.sum(columns.heads).label("questions"),
        ).group_by(columns.task, columns.part)
        parts: dict[str, dict[Part, Spent]] = {}
        with self._database.reading() as connection:
            for row in _uncached(connection, query):
                parts.setdefault(row["task"], {})[Part(row["part"])] = Spent(
                    int(row["calls"]), rounded_usd(row["cost_usd"]), int(row["unpriced_calls"]), int(row["questions"])
                )
        return [TaskCosts(task, found) for task, found in sorted(parts.items())]

    def series(self, baseline: Baseline, *, points: int, within: CostFilter = EVERYTHING) -> Series:
        """See `Ledger`."""
        check_filter(within)
        entries = _entries(within)
        place = func.row_number().over(order_by=(entries.c.at, entries.c.seq)) - literal_column("1")
        number = (place * check_points(points) // func.count().over()).label("number")
        numbered = select(number, entries).subquery("numbered")
        columns = numbered.c
        query = (
            select(
                columns.number,
                columns.task,
                columns.part,
                func.max(columns.at).label("at"),
                func.sum(columns.cost_usd).label("cost_usd"),
                func.sum(columns.begins).label("questions"),
            )
            .group_by(columns.number, columns.task, columns.part)
            .order_by(columns.number)
        )
        with self._database.reading() as connection:
            return series_of(map(_step_from, _uncached(connection, query)), baseline)


def _uncached(connection: Connection, query: Select[Any]) -> Iterator[Row]:
    """Yield all rows that `query` finds. Reports come in thousands of forms, and each compiled one takes 50 KB."""
    return fetch_all(connection.execution_options(compiled_cache=None), query)


def _entries(within: CostFilter) -> FromClause:
    """Return the exchanges within a filter, each with task and tool of its question.

    `begins` is 1 in the first exchange of a question, `heads` in the first one of its light and of its strong model.
    """
    uses, decided = MODEL_USES.alias("uses"), MODEL_USES.alias("decided")
    requests = _requests()
    alone = (
        (uses.c.request_id == "") & uses.c.role.in_((Role.USER.value, Role.STRONG.value)) & (uses.c.purpose == _USING)
    )
    answered_by = case((alone, uses.c.role), else_=func.coalesce(decided.c.role, ""))
    part = case(
        (uses.c.purpose == "making", Part.MAKING.value),
        (uses.c.role == Role.STRONG.value, Part.STRONG.value),
        (answered_by == Role.USER.value, Part.LIGHT.value),
        else_=Part.OTHER.value,
    )
    said = func.coalesce(func.nullif(uses.c.task, ""), decided.c.task, "")
    entries = (
        select(
            *(uses.c[name] for name in ("seq", "at", "role", "model", "purpose", "tenant", "priced")),
            *(uses.c[name] for name in ("prompt_tokens", "completion_tokens", "cost_usd", "seconds")),
            func.coalesce(MODEL_USE_LABELS.c.task, said).label("task"),
            func.coalesce(func.nullif(uses.c.tool, ""), decided.c.tool, "").label("tool"),
            part.label("part"),
            _flag(alone, uses.c.seq == requests.c.first_seq).label("begins"),
            _flag(alone, uses.c.seq == requests.c.user_seq, uses.c.seq == requests.c.strong_seq).label("heads"),
        )
        .outerjoin(requests, (uses.c.request_id == requests.c.request_id) & (uses.c.purpose == _USING))
        .outerjoin(decided, decided.c.seq == func.coalesce(requests.c.user_seq, requests.c.strong_seq))
        .outerjoin(MODEL_USE_LABELS, MODEL_USE_LABELS.c.label == said)
        .subquery("entries")
    )
    conditions = _conditions(entries, within)
    return select(entries).where(and_(*conditions)).subquery("within") if conditions else entries


def _requests() -> FromClause:
    """Return the first exchange of each question, and the first one of its light and of its strong model."""
    columns = MODEL_USES.c

    def first_of(role: Role) -> ColumnElement[int]:
        return func.min(case((columns.role == role.value, columns.seq)))

    return (
        select(
            columns.request_id,
            func.min(columns.seq).label("first_seq"),
            first_of(Role.USER).label("user_seq"),
            first_of(Role.STRONG).label("strong_seq"),
        )
        .where(columns.purpose == _USING, columns.request_id != "")
        .group_by(columns.request_id)
        .subquery("requests")
    )


def _conditions(entries: FromClause, within: CostFilter) -> list[ColumnElement[bool]]:
    columns = entries.c
    found: list[ColumnElement[bool]] = []
    if within.since is not None:
        found.append(columns.at >= within.since)
    if within.until is not None:
        found.append(columns.at < within.until)
    if within.task:
        found.append(columns.task == within.task)
    if within.tenant:
        found.append(columns.tenant == within.tenant)
    if within.tool:
        found.append(or_(columns.tool == within.tool, columns.tool.startswith(f"{within.tool}@", autoescape=True)))
    return found


def _flag(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return case((or_(*conditions), 1), else_=0)


def _exact_sum(name: str, column: ColumnElement[int]) -> list[ColumnElement[Any]]:
    """Return the sums of the high and the low half: a sum of 64-bit integers itself may not fit 64 bits."""
    high, low = column.op(">>")(literal_column("32")), column.op("&")(literal_column("4294967295"))
    return [func.sum(high).label(f"{name}_high"), func.sum(low).label(f"{name}_low")]


def _whole(row: Mapping[str, Any], name: str) -> int:
    return (int(row[f"{name}_high"]) << 32) + int(row[f"{name}_low"])


def _sum_from(by: Sequence[CostKey], row: Mapping[str, Any]) -> CostSum:
    return CostSum(
        key=tuple(row[name.value] for name in by),
        calls=int(row["calls"]),
        prompt_tokens=_whole(row, "prompt"),
        completion_tokens=_whole(row, "completion"),
        cost_usd=rounded_usd(row["cost_usd"]),
        seconds=row["seconds"],
        unpriced_calls=int(row["unpriced_calls"]),
        unpriced_tokens=_whole(row, "unpriced") + _whole(row, "unpriced_reply"),
    )


def _step_from(row: Mapping[str, Any]) -> Step:
    return Step(int(row["number"]), row["at"], row["task"], Part(row["part"]), row["cost_usd"], int(row["questions"]))
