"""`MemoryLedger`: what models cost, without a database."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

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
    part_of,
    rounded_usd,
)
from toolwright.domain.record import ModelUse, Role
from toolwright.registry.log_rows import check_filter, label_row, model_use_row
from toolwright.registry.rows import Row

_USING = "using"
_ANSWERING = (Role.USER.value, Role.STRONG.value)


@dataclass(frozen=True, slots=True)
class _Entry:
    """An exchange with task and tool of its question."""

    row: Row
    """With `task` and `tool` filled in."""
    part: Part
    begins: bool
    """Whether it is the first of its question."""
    heads: bool
    """Whether it is the first of its question's light or strong model."""


class MemoryLedger:
    """A `Ledger` that ends with the process."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        """Begin empty; `transaction` is that of the store that it is part of."""
        self._transaction = transaction
        self._rows: list[Row] = []
        self._labels: dict[str, str] = {}

    def add(self, use: ModelUse) -> None:
        """See `Ledger`."""
        row = model_use_row(use)
        with self._transaction():
            self._rows.append(row)

    def file_under(self, label: str, task: str) -> None:
        """See `Ledger`."""
        row = label_row(label, task)
        with self._transaction():
            self._labels[row["label"]] = row["task"]

    def sums(self, by: Sequence[CostKey] = (), within: CostFilter = EVERYTHING) -> Sequence[CostSum]:
        """See `Ledger`."""
        groups: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
        for entry in self._entries(within):
            groups[tuple(entry.row[name.value] for name in by)].append(entry.row)
        return [_summed(key, rows) for key, rows in sorted(groups.items())]

    def by_task(self, within: CostFilter = EVERYTHING) -> Sequence[TaskCosts]:
        """See `Ledger`."""
        groups: defaultdict[str, defaultdict[Part, list[_Entry]]] = defaultdict(lambda: defaultdict(list))
        for entry in self._entries(within):
            groups[entry.row["task"]][entry.part].append(entry)
        return [
            TaskCosts(task, {part: _spent(entries) for part, entries in parts.items()})
            for task, parts in sorted(groups.items())
        ]

    def series(self, baseline: Baseline, *, points: int, within: CostFilter = EVERYTHING) -> Series:
        """See `Ledger`."""
        check_points(points)
        entries = sorted(self._entries(within), key=lambda entry: float(entry.row["at"]))
        steps = (
            Step(
                place * points // len(entries),
                entry.row["at"],
                entry.row["task"],
                entry.part,
                entry.row["cost_usd"],
                int(entry.begins),
            )
            for place, entry in enumerate(entries)
        )
        return series_of(steps, baseline)

    def _entries(self, within: CostFilter) -> list[_Entry]:
        check_filter(within)
        with self._transaction():
            rows, labels = list(self._rows), dict(self._labels)
        return [entry for entry in _resolved(rows, labels) if _fits(entry.row, within)]


def _resolved(rows: Sequence[Row], labels: Mapping[str, str]) -> Iterator[_Entry]:
    questions: defaultdict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row["purpose"] == _USING and row["request_id"]:
            questions[row["request_id"]].setdefault("first", row)
            questions[row["request_id"]].setdefault(row["role"], row)
    for row in rows:
        question = questions.get(row["request_id"], {}) if row["purpose"] == _USING else {}
        decided = next(
            (question[role] for role in _ANSWERING if role in question), {"task": "", "tool": "", "role": ""}
        )
        alone = row["purpose"] == _USING and not row["request_id"] and row["role"] in _ANSWERING
        task = row["task"] or decided["task"]
        yield _Entry(
            row | {"task": labels.get(task, task), "tool": row["tool"] or decided["tool"]},
            part_of(row["purpose"], row["role"], row["role"] if alone else decided["role"]),
            begins=alone or question.get("first") is row,
            heads=alone or any(question.get(role) is row for role in _ANSWERING),
        )


def _fits(row: Row, within: CostFilter) -> bool:
    return (
        (within.since is None or row["at"] >= within.since)
        and (within.until is None or row["at"] < within.until)
        and within.task in {"", row["task"]}
        and within.tenant in {"", row["tenant"]}
        and (within.tool in {"", row["tool"]} or row["tool"].startswith(f"{within.tool}@"))
    )


def _summed(key: tuple[str, ...], rows: Iterable[Mapping[str, float]]) -> CostSum:
    rows = list(rows)
    unpriced = [row for row in rows if not row["priced"]]
    return CostSum(
        key=key,
        calls=len(rows),
        prompt_tokens=sum(int(row["prompt_tokens"]) for row in rows),
        completion_tokens=sum(int(row["completion_tokens"]) for row in rows),
        cost_usd=rounded_usd(math.fsum(row["cost_usd"] for row in rows)),
        seconds=math.fsum(row["seconds"] for row in rows),
        unpriced_calls=len(unpriced),
        unpriced_tokens=sum(int(row["prompt_tokens"] + row["completion_tokens"]) for row in unpriced),
    )


def _spent(entries: Sequence[_Entry]) -> Spent:
    summed = _summed((), [entry.row for entry in entries])
    return Spent(summed.calls, summed.cost_usd, summed.unpriced_calls, sum(entry.heads for entry in entries))
