"""A making as it can be told from what is on record: for who follows it from another server, or after its end."""

from __future__ import annotations

from collections.abc import Iterator

from toolwright.domain.events import Made, MakingEvent, NotMade, Proposed, Rejected
from toolwright.domain.job import Job, JobState
from toolwright.domain.record import Attempt
from toolwright.errors import NotFound
from toolwright.registry.base import Store

CANCELLED, FAULT = "cancelled", "fault"


def attempt_events(attempt: Attempt) -> Iterator[MakingEvent]:
    """Yield what is known of one attempt."""
    yield Proposed(attempt.number, attempt.source)
    if not attempt.accepted:
        yield Rejected(attempt.number, attempt.stage, attempt.verdict)


def end_event(store: Store, job: Job) -> Made | NotMade:
    """Return how `job`, which has ended, ended.

    Raises:
        StoreUnavailable, StoreCorrupt: the tool cannot be read.
    """
    if job.state is JobState.DONE:
        try:
            tool = store.get_tool(job.tool_digest)
        except NotFound:
            return NotMade(f"the tool {job.tool_digest} is not in the registry any more", job.begun, job.token_use)
        return Made(tool.info, job.begun, job.token_use, job.merged)
    return NotMade(job.reason, job.begun, job.token_use, CANCELLED if job.state is JobState.CANCELLED else _which(job))


def recorded_end(store: Store, job: Job) -> Made | NotMade | None:
    """Return how the making of `job` ended, if a server put that on record and was killed before it ended the job.

    Raises:
        StoreUnavailable, StoreCorrupt: the record cannot be read.
    """
    if job.starts <= 1:
        return None
    for making in store.list_makings(job.task.name):
        if making.making_id != job.making_id or making.finished_at is None:
            continue
        if making.tool_digest:
            tool = store.get_tool(making.tool_digest)
            return Made(tool.info, job.begun, job.token_use, tool.version.name != job.task.name)
        which = CANCELLED if job.cancel_requested else _which(job)
        return NotMade(making.failure, job.begun, job.token_use, which)
    return None


def _which(job: Job) -> str:
    """Return the budget that was spent: the first one that is, as the making looks at them; else it was a fault."""
    spent, budget = job.spent, job.budget
    for name, so_far, most in (
        ("tokens", spent.tokens, budget.tokens),
        ("money", spent.cost_usd, budget.cost_usd),
        ("seconds", spent.seconds, budget.seconds),
        ("attempts", spent.attempts, budget.attempts),
    ):
        if most and so_far >= most:
            return name
    return FAULT
