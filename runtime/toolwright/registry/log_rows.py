"""Makings, attempts, executions and model use as rows, and back: what happened, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from toolwright.domain.ledger import CostFilter
from toolwright.domain.outcome import Status
from toolwright.domain.record import Attempt, ExecutionEntry, Making, ModelUse, Stage
from toolwright.registry.rows import Row, decoding, from_bytes, to_bytes
from toolwright.registry.storable import check_storable

_Flat = Making | Attempt | ExecutionEntry | ModelUse
_FIELDS: dict[type[Any], tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind) if field.name != "ended")
    for kind in (Making, Attempt, ExecutionEntry, ModelUse)
}
RUNNING = "RUNNING"
"""In the place of a verdict: the execution has not ended, or its server was killed before it did."""
_NO_VERDICT = ""


def _flat_row(value: _Flat, where: str, *, any_text: tuple[str, ...] = ()) -> Row:
    row = {name: getattr(value, name) for name in _FIELDS[type(value)]}
    for name in any_text:
        row[name] = to_bytes(row[name])
    check_storable(row, where)
    return row


def _flat_values(kind: type[Any], row: Mapping[str, Any]) -> Row:
    return {
        name: from_bytes(value) if isinstance(value, bytes | memoryview) else value
        for name, value in ((name, row[name]) for name in _FIELDS[kind])
    }


def making_row(making: Making) -> Row:
    """Return the row for `making`."""
    return _flat_row(making, "making", any_text=("failure",))


def making_from(row: Mapping[str, Any]) -> Making:
    """Return the making in `row`.

    Raises:
        DamagedRow: it cannot be read.
    """
    with decoding(f"making {row['making_id']!r}"):
        return Making(**_flat_values(Making, row))


def making_end_row(at: float, tool_digest: str, failure: str) -> Row:
    """Return the columns that the end of a making fills."""
    end = {"finished_at": at, "tool_digest": tool_digest, "failure": to_bytes(failure)}
    check_storable(end, "making")
    return end


def making_end_in(row: Mapping[str, Any]) -> Row:
    """Return the same columns of a row that is kept."""
    end = {"finished_at": row["finished_at"], "tool_digest": row["tool_digest"]}
    return end | {"failure": bytes(row["failure"])}


def attempt_row(attempt: Attempt) -> Row:
    """Return the row for `attempt`."""
    row = _flat_row(attempt, "attempt", any_text=("prompt", "reply", "source", "verdict"))
    row["stage"] = attempt.stage.value
    return row


def attempt_from(row: Mapping[str, Any]) -> Attempt:
    """Return the attempt in `row`.

    Raises:
        DamagedRow: it cannot be read.
    """
    with decoding(f"attempt {row['number']} of making {row['making_id']!r}"):
        values = _flat_values(Attempt, row)
        values["stage"] = Stage(values["stage"])
        return Attempt(**values)


def execution_row(entry: ExecutionEntry) -> Row:
    """Return the row for `entry`."""
    row = _flat_row(entry, "execution")
    row["status"] = entry.status.value if entry.status else (_NO_VERDICT if entry.ended else RUNNING)
    return row


def execution_from(row: Mapping[str, Any]) -> ExecutionEntry:
    """Return the entry in `row`.

    Raises:
        DamagedRow: it cannot be read.
    """
    with decoding(f"execution {row['execution_id']!r}"):
        values = _flat_values(ExecutionEntry, row)
        status = values.pop("status")
        verdict = None if status in {RUNNING, _NO_VERDICT} else Status(status)
        return ExecutionEntry(**values, status=verdict, ended=status != RUNNING)


def model_use_row(use: ModelUse) -> Row:
    """Return the row for `use`."""
    row = _flat_row(use, "model_use")
    row["role"] = use.role.value
    return row


def label_row(label: str, task: str) -> Row:
    """Return the row that counts what is spent on `label` as spent on `task`."""
    row: Row = {"label": label, "task": task}
    check_storable(row, "model_use_label")
    return row


def check_filter(within: CostFilter) -> None:
    """Let a filter pass if each of its texts and numbers could be in a row.

    Raises:
        InvalidInput: names the field.
    """
    check_storable(asdict(within), "costs")
