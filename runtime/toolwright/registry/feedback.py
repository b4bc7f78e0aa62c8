"""What is kept of how tools do in use, as a Protocol: `sql_feedback.py` and `memory_feedback.py` keep it alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from toolwright.domain.feedback import HitCounts, KeptAnswer, OutcomeReport, ReportedFailure, Solve


class FeedbackStore(Protocol):
    """Answers, reports on them, and counts. Each method is one transaction; faults are those of `Store`."""

    def keep_answer(self, answer: KeptAnswer, *, keep: int) -> None:
        """Keep the answer to a question, and forget the oldest beyond `keep` of them. 0 keeps none.

        Raises:
            AlreadyExists: the execution's answer is kept already.
        """

    def get_answer(self, execution_id: str) -> KeptAnswer:
        """Return the answer that an execution gave.

        Raises:
            NotFound: none is kept: the execution answered no question, or it was long ago.
        """

    def report(self, report: OutcomeReport) -> bool:
        """Keep what is said of an execution, and return whether it was new.

        Raises:
            AlreadyExists: the opposite, or another right answer, was reported before; nothing is changed.
        """

    def latest_reports(self, tool_digest: str, *, limit: int, since: float = 0.0) -> Sequence[OutcomeReport]:
        """Return reports on a version, newest first, `limit` at most, none from before `since`."""

    def reported_versions(self) -> Sequence[str]:
        """Return the digests of all versions that reports are on, in order."""

    def failures(self, name: str, *, limit: int) -> Sequence[ReportedFailure]:
        """Return questions that versions of the tool `name` got wrong and whose right answer is known, newest first."""

    def keep_solve(self, solve: Solve) -> None:
        """Keep how a question ended."""

    def hit_counts(self) -> HitCounts:
        """Return how many questions existing tools answered, and how many results came from the cache."""

    def active_versions(self) -> Sequence[str]:
        """Return the digests of all versions that are active, by name and number. Reads no content."""
