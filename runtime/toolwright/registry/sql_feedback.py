"""`SqlFeedback`: how tools do in use, in the registry's database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, delete, func, insert, select

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
from toolwright.registry.database import Database
from toolwright.registry.statements import fetch_all, find, insert_unless_there
from toolwright.registry.storable import is_storable_text
from toolwright.registry.tables import (
    EXECUTIONS,
    KEPT_ANSWERS,
    OUTCOME_REPORTS,
    SOLVES,
    TOOL_VERSIONS,
)


class SqlFeedback:
    """A `FeedbackStore` over `Database`."""

    def __init__(self, database: Database) -> None:
        """Keep it in `database`, which has our tables."""
        self._database = database

    def keep_answer(self, answer: KeptAnswer, *, keep: int) -> None:
        """See `FeedbackStore`."""
        row = feedback_rows.answer_row(answer)
        if keep <= 0:
            return
        seq = KEPT_ANSWERS.c.seq
        with self._database.writing() as connection:
            if not insert_unless_there(connection, KEPT_ANSWERS, row):
                raise AlreadyExists(f"the answer of execution {answer.execution_id!r} is kept already")
            # Numbers only grow, so this walks the key from its end, and finds one row too many at most.
            too_old = select(seq).order_by(seq.desc()).offset(keep).limit(1).scalar_subquery()
            connection.execute(delete(KEPT_ANSWERS).where(seq <= too_old))

    def get_answer(self, execution_id: str) -> KeptAnswer:
        """See `FeedbackStore`."""
        with self._database.reading() as connection:
            row = find(connection, KEPT_ANSWERS, KEPT_ANSWERS.c.execution_id, execution_id)
            if row is None:
                raise NotFound("answer of execution", execution_id)
            return feedback_rows.answer_from(row)

    def report(self, report: OutcomeReport) -> bool:
        """See `FeedbackStore`."""
        row = feedback_rows.report_row(report)
        with self._database.writing() as connection:
            if insert_unless_there(connection, OUTCOME_REPORTS, row):
                return True
            there = find(connection, OUTCOME_REPORTS, OUTCOME_REPORTS.c.execution_id, report.execution_id)
            feedback_rows.check_same(there or {}, report)
            return False

    def latest_reports(self, tool_digest: str, *, limit: int, since: float = 0.0) -> Sequence[OutcomeReport]:
        """See `FeedbackStore`."""
        if not is_storable_text(tool_digest):
            return []
        columns = OUTCOME_REPORTS.c
        query = select(OUTCOME_REPORTS).where(columns.tool_digest == tool_digest, columns.at >= since)
        with self._database.reading() as connection:
            rows = fetch_all(connection, query.order_by(columns.seq.desc()).limit(limit))
            return [feedback_rows.report_from(row) for row in rows]

    def reported_versions(self) -> Sequence[str]:
        """See `FeedbackStore`."""
        digest = OUTCOME_REPORTS.c.tool_digest
        with self._database.reading() as connection:
            return list(connection.execute(select(digest).distinct().order_by(digest)).scalars())

    def failures(self, name: str, *, limit: int) -> Sequence[ReportedFailure]:
        """See `FeedbackStore`."""
        if not is_storable_text(name):
            return []
        with self._database.reading() as connection:
            rows = fetch_all(connection, _failures(name).limit(limit))
            return [feedback_rows.failure_from(row) for row in rows]

    def keep_solve(self, solve: Solve) -> None:
        """See `FeedbackStore`."""
        row = feedback_rows.solve_row(solve)
        with self._database.writing() as connection:
            connection.execute(insert(SOLVES), row)

    def hit_counts(self) -> HitCounts:
        """See `FeedbackStore`."""
        by_ending = select(SOLVES.c.ending, func.count()).group_by(SOLVES.c.ending)
        ended = select(func.count()).select_from(EXECUTIONS).where(EXECUTIONS.c.status != log_rows.RUNNING)
        with self._database.reading() as connection:
            counts = {SolveEnding(ending): number for ending, number in connection.execute(by_ending)}
            return feedback_rows.counted(
                counts,
                connection.execute(ended).scalar_one(),
                connection.execute(ended.where(EXECUTIONS.c.computed_by != "")).scalar_one(),
            )

    def active_versions(self) -> Sequence[str]:
        """See `FeedbackStore`."""
        columns = TOOL_VERSIONS.c
        query = select(columns.digest).where(columns.state == ToolState.ACTIVE.value)
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(columns.name, columns.number)).scalars())


def _failures(name: str) -> Select[Any]:
    reports, answers = OUTCOME_REPORTS.c, KEPT_ANSWERS.c
    query = select(
        reports.execution_id,
        reports.tool_digest,
        answers.question,
        answers.answer.label("wrong"),
        reports.answer.label("right_answer"),
    ).join(KEPT_ANSWERS, answers.execution_id == reports.execution_id)
    known = (answers.name == name) & reports.correct.is_(False) & (func.length(reports.answer) > 0)
    return query.where(known).order_by(reports.seq.desc())
