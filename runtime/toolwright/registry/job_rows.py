"""Jobs as rows, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from toolwright.domain.job import Budget, Job, JobKind, JobState
from toolwright.domain.record import Role, TokenUse
from toolwright.registry import tool_rows
from toolwright.registry.jobs import Ending, Progress
from toolwright.registry.rows import Row, decoding, from_bytes, to_bytes
from toolwright.registry.storable import check_storable


def job_row(job: Job) -> Row:
    """Return the row for `job`."""
    task = tool_rows.task_row(job.task)
    row = {
        "making_id": job.making_id,
        "task": job.task.name,
        "task_digest": task["digest"],
        "task_body": task["body"],
        "kind": job.kind.value,
        "tenant": job.tenant,
        "max_attempts": job.budget.attempts,
        "max_tokens": job.budget.tokens,
        "max_cost_usd": job.budget.cost_usd,
        "max_seconds": job.budget.seconds,
        "candidates": job.candidates,
        "state": job.state.value,
        "created_at": job.created_at,
        "owner": job.owner,
        "lease_until": job.lease_until,
        "starts": job.starts,
        "cancel_requested": job.cancel_requested,
        "finished_at": job.finished_at,
        **progress_row(Progress(job.begun, job.token_use, job.seconds, job.progress)),
        **_end_row(Ending(job.state, job.reason, job.tool_digest, job.merged)),
    }
    check_storable(row, "job")
    return row


def job_from(row: Mapping[str, Any]) -> Job:
    """Return the job in `row`.

    Raises:
        DamagedRow: it is not what was kept.
    """
    with decoding(f"job {row['making_id']!r}"):
        task = {"name": row["task"], "digest": row["task_digest"], "body": row["task_body"]}
        return Job(
            making_id=row["making_id"],
            task=tool_rows.task_from(task),
            kind=JobKind(row["kind"]),
            tenant=row["tenant"],
            budget=Budget(row["max_attempts"], row["max_tokens"], row["max_cost_usd"], row["max_seconds"]),
            candidates=row["candidates"],
            state=JobState(row["state"]),
            created_at=row["created_at"],
            owner=row["owner"],
            lease_until=row["lease_until"],
            starts=row["starts"],
            begun=row["begun"],
            progress=from_bytes(row["progress"]),
            cancel_requested=bool(row["cancel_requested"]),
            token_use=tuple(
                TokenUse(Role(role), model, calls, sent, received, cost)
                for role, model, calls, sent, received, cost in json.loads(row["token_use"])
            ),
            seconds=row["seconds"],
            finished_at=row["finished_at"],
            reason=from_bytes(row["reason"]),
            tool_digest=row["tool_digest"],
            merged=bool(row["merged"]),
        )


def progress_row(progress: Progress) -> Row:
    """Return the columns that progress changes."""
    row = {
        "begun": progress.begun,
        "token_use": _use_text(progress.token_use),
        "seconds": progress.seconds,
        "progress": to_bytes(progress.words),
    }
    check_storable(row, "job")
    return row


def ending_row(ending: Ending, at: float) -> Row:
    """Return the columns that the end of a job changes."""
    row = {"state": ending.state.value, "finished_at": at, "owner": "", "lease_until": 0.0, **_end_row(ending)}
    check_storable(row, "job")
    return row


def taken_row(row: Mapping[str, Any], owner: str, lease_until: float) -> Row:
    """Return the columns of the job in `row` that change when `owner` takes it."""
    taken = {
        "state": JobState.RUNNING.value,
        "owner": owner,
        "lease_until": lease_until,
        "starts": row["starts"] + 1,
    }
    check_storable(taken, "job")
    return taken


def cancel_row(row: Mapping[str, Any], reason: str, now: float) -> Row:
    """Return the columns of the job in `row` that a wish for its end changes; none if it has ended."""
    state = JobState(row["state"])
    if state.ended:
        return {}
    asked = {"cancel_requested": True, "reason": to_bytes(reason)}
    if state is JobState.RUNNING and row["lease_until"] > now:
        return asked
    return asked | ending_row(Ending(JobState.CANCELLED, reason), now)


def does_for(row: Mapping[str, Any], job: Job) -> bool:
    """Return whether the open job in `row`, of the same task, does for `job`."""
    theirs = Budget(row["max_attempts"], row["max_tokens"], row["max_cost_usd"], row["max_seconds"])
    return not row["cancel_requested"] and job.budget.is_within(theirs) and int(row["candidates"]) >= job.candidates


def _end_row(ending: Ending) -> Row:
    return {"reason": to_bytes(ending.reason), "tool_digest": ending.tool_digest, "merged": ending.merged}


def _use_text(uses: Iterable[TokenUse]) -> str:
    content = [
        [use.role.value, use.model, use.calls, use.prompt_tokens, use.completion_tokens, use.cost_usd] for use in uses
    ]
    return json.dumps(content, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
