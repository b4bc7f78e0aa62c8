"""Answers, reports and ends of questions as rows, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from toolwright.domain.feedback import HitCounts, KeptAnswer, OutcomeReport, ReportedFailure, Solve, SolveEnding
from toolwright.errors import AlreadyExists
from toolwright.registry.rows import Row, decoding, from_bytes, to_bytes
from toolwright.registry.storable import check_storable


def answer_row(answer: KeptAnswer) -> Row:
    """Return the row for `answer`; `name` is the tool's, without version."""
    row = asdict(answer) | {
        "name": answer.tool.partition("@")[0],
        "question": to_bytes(answer.question),
        "answer": to_bytes(answer.answer),
    }
    check_storable(row, "answer")
    return row


def answer_from(row: Mapping[str, Any]) -> KeptAnswer:
    """Return the answer in `row`.

    Raises:
        DamagedRow: it cannot be read.
    """
    with decoding(f"the answer of execution {row['execution_id']!r}"):
        return KeptAnswer(
            execution_id=row["execution_id"],
            tool=row["tool"],
            tool_digest=row["tool_digest"],
            question=from_bytes(row["question"]),
            answer=from_bytes(row["answer"]),
            at=float(row["at"]),
        )


def report_row(report: OutcomeReport) -> Row:
    """Return the row for `report`."""
    row = asdict(report) | {"answer": to_bytes(report.answer), "actor": to_bytes(report.actor)}
    check_storable(row, "report")
    return row


def report_from(row: Mapping[str, Any]) -> OutcomeReport:
    """Return the report in `row`.

    Raises:
        DamagedRow: it cannot be read.
    """
    with decoding(f"the report on execution {row['execution_id']!r}"):
        return OutcomeReport(
            execution_id=row["execution_id"],
            correct=bool(row["correct"]),
            answer=from_bytes(row["answer"]),
            actor=from_bytes(row["actor"]),
            at=float(row["at"]),
            tool_digest=row["tool_digest"],
        )


def check_same(kept: Mapping[str, Any], report: OutcomeReport) -> None:
    """Let `report` pass if the one that is kept says the same.

    Raises:
        AlreadyExists: it says something else.
    """
    before = report_from(kept)
    if before.same_as(report):
        return
    said = "right" if before.correct else "wrong"
    known = ", with another right answer" if before.correct == report.correct else ""
    raise AlreadyExists(
        f"execution {report.execution_id!r} was reported as {said} before{known}, and a first report stands; "
        "if that one was in error, quarantine or verify the tool instead"
    )


def failure_from(row: Mapping[str, Any]) -> ReportedFailure:
    """Return the failure in a joined row of report and answer.

    Raises:
        DamagedRow: it cannot be read.
    """
    with decoding(f"the failure of execution {row['execution_id']!r}"):
        return ReportedFailure(
            execution_id=row["execution_id"],
            tool_digest=row["tool_digest"],
            question=from_bytes(row["question"]),
            wrong=from_bytes(row["wrong"]),
            right=from_bytes(row["right_answer"]),
        )


def solve_row(solve: Solve) -> Row:
    """Return the row for `solve`."""
    row = asdict(solve) | {"ending": solve.ending.value}
    check_storable(row, "solve")
    return row


def counted(by_ending: dict[SolveEnding, int], executions: int, exact_hits: int) -> HitCounts:
    """Return the counts, with the endings in their order."""
    return HitCounts(
        solves=sum(by_ending.values()),
        hits=by_ending.get(SolveEnding.HIT, 0),
        by_ending=tuple((ending, by_ending.get(ending, 0)) for ending in SolveEnding),
        executions=executions,
        exact_hits=exact_hits,
    )
