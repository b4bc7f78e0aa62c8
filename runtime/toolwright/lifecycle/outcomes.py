"""What callers say of answers: taken, kept, and given to whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable

from toolwright.domain.feedback import OutcomeReport
from toolwright.domain.lifecycle import UNKNOWN_ACTOR
from toolwright.domain.outcome import Status
from toolwright.errors import NotReady
from toolwright.registry.base import Store


class Outcomes:
    """Takes reports. Safe to use from many threads, beside other servers."""

    def __init__(self, store: Store, told: Callable[[str], None], *, clock: Callable[[], float] = time.time) -> None:
        """Keep reports in `store`, and tell `told` the digest of a version that there is a new one on."""
        self._store, self._told, self._clock = store, told, clock

    def report(self, execution_id: str, *, correct: bool, answer: str = "", actor: str = "") -> bool:
        """Keep whether the answer that an execution gave was right, and return whether that was new.

        Raises:
            NotFound: there is no such execution.
            NotReady: it was one of bare source, or gave no result, so that no answer can be right or wrong.
            AlreadyExists: something else was reported of it before.
            InvalidInput: a text is too long.
        """
        execution = self._store.get_execution(execution_id)
        if not execution.verification_id:
            raise NotReady(
                f"execution {execution_id!r} ran bare source, which is no version of a tool; report on calls of tools"
            )
        if execution.status is not Status.SUCCESS:
            raise NotReady(f"execution {execution_id!r} gave no result, so there is no answer to be right or wrong")
        report = OutcomeReport(
            execution_id=execution_id,
            correct=correct,
            answer=answer,
            actor=actor or UNKNOWN_ACTOR,
            at=self._clock(),
            tool_digest=execution.tool_digest,
        )
        new = self._store.feedback.report(report)
        if new:
            self._told(execution.tool_digest)
        return new
