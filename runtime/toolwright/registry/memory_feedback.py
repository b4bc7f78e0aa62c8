"""`MemoryFeedback`: how tools do in use, kept as long as the process lives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager

from toolwright.domain.feedback import (
    HitCounts,
    KeptAnswer,
    OutcomeReport,
    ReportedFailure,
    Solve,
    SolveEnding,
)
from toolwright.domain.tool import ToolState
from toolwright.errors import AlreadyExists, NotFound
from toolwright.registry import feedback_rows, log_rows
from toolwright.registry.rows import Row, from_bytes


class MemoryFeedback:
    """A `FeedbackStore` beside the rows of a `MemoryStore`."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[None]],
        versions: Mapping[str, Row],
        verifications: MutableMapping[str, Row],
        executions: Mapping[str, Row],
    ) -> None:
        """Work within `transaction`, on the store's own rows."""
        self._transaction = transaction
        self._versions, self._verifications, self._executions = versions, verifications, executions
        self._answers: dict[str, Row] = {}
        self._reports: dict[str, Row] = {}
        self._solves: list[Row] = []

    def keep_answer(self, answer: KeptAnswer, *, keep: int) -> None:
        """See `FeedbackStore`."""
        row = feedback_rows.answer_row(answer)
        if keep <= 0:
            return
        with self._transaction():
            if answer.execution_id in self._answers:
                raise AlreadyExists(f"the answer of execution {answer.execution_id!r} is kept already")
            self._answers[answer.execution_id] = row
            for oldest in list(self._answers)[:-keep]:
                del self._answers[oldest]

    def get_answer(self, execution_id: str) -> KeptAnswer:
        """See `FeedbackStore`."""
        with self._transaction():
            if execution_id not in self._answers:
                raise NotFound("answer of execution", execution_id)
            return feedback_rows.answer_from(self._answers[execution_id])

    def report(self, report: OutcomeReport) -> bool:
        """See `FeedbackStore`."""
        row = feedback_rows.report_row(report)
        with self._transaction():
            there = self._reports.get(report.execution_id)
            if there is None:
                self._reports[report.execution_id] = row
                return True
            feedback_rows.check_same(there, report)
            return False

    def latest_reports(self, tool_digest: str, *, limit: int, since: float = 0.0) -> Sequence[OutcomeReport]:
        """See `FeedbackStore`."""
        with self._transaction():
            newest_first = reversed(self._reports.values())
            found = [row for row in newest_first if row["tool_digest"] == tool_digest and row["at"] >= since]
            return [feedback_rows.report_from(row) for row in found[:limit]]

    def reported_versions(self) -> Sequence[str]:
        """See `FeedbackStore`."""
        with self._transaction():
            return sorted({row["tool_digest"] for row in self._reports.values()})

    def failures(self, name: str, *, limit: int) -> Sequence[ReportedFailure]:
        """See `FeedbackStore`."""
        with self._transaction():
            found = []
            for row in reversed(self._reports.values()):
                kept = self._answers.get(row["execution_id"])
                if kept is None or kept["name"] != name or row["correct"] or not from_bytes(row["answer"]):
                    continue
                joined = row | {"question": kept["question"], "wrong": kept["answer"], "right_answer": row["answer"]}
                found.append(feedback_rows.failure_from(joined))
            return found[:limit]

    def keep_solve(self, solve: Solve) -> None:
        """See `FeedbackStore`."""
        row = feedback_rows.solve_row(solve)
        with self._transaction():
            self._solves.append(row)

    def hit_counts(self) -> HitCounts:
        """See `FeedbackStore`."""
        with self._transaction():
            counts = Counter(SolveEnding(row["ending"]) for row in self._solves)
            ended = [row for row in self._executions.values() if row["status"] != log_rows.RUNNING]
            return feedback_rows.counted(counts, len(ended), sum(bool(row["computed_by"]) for row in ended))

    def active_versions(self) -> Sequence[str]:
        """See `FeedbackStore`."""
        with self._transaction():
            active = [row for row in self._versions.values() if row["state"] == ToolState.ACTIVE.value]
            return [row["digest"] for row in sorted(active, key=lambda row: (row["name"], row["number"]))]
