"""Makings as jobs, and their attempts."""

from __future__ import annotations

import re
from typing import Final

from toolwright.domain.job import MAX_ATTEMPTS, MAX_CANDIDATES, Budget, Job
from toolwright.domain.making import MakingAttempt, MakingDetails, MakingInfo
from toolwright.domain.record import Attempt, Stage
from toolwright.errors import InvalidInput
from toolwright.services.convert.enums import MAKING_STATE
from toolwright.services.convert.text import time_from_wire, time_to_wire, wire_text
from toolwright.services.convert.tools import token_use_from_wire, token_use_to_wire
from toolwright.v1 import makings_pb2, tools_pb2

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z", re.ASCII)


def making_id_from_wire(text: str) -> str:
    """Return the id of a making.

    Raises:
        InvalidInput: it has another form.
    """
    if not _ID.match(text):
        raise InvalidInput("making_id", f"{text[:80]!r} is no id of a making", "an id as MakeTool and ListMakings give")
    return text


def budget_from_wire(message: tools_pb2.MakeToolRequest) -> tuple[Budget, int]:
    """Return what a making may spend, and how many proposals it may ask for at a time; 0 for the server's setting.

    Raises:
        InvalidInput: names the field.
    """
    for field, number, most in (
        ("attempts", message.attempts, MAX_ATTEMPTS),
        ("candidates", message.candidates, MAX_CANDIDATES),
    ):
        if not 0 <= number <= most:
            raise InvalidInput(field, f"{number} is outside the allowed range", f"1 to {most}")
    for field in ("max_tokens", "max_cost_usd", "max_seconds"):
        value = getattr(message, field)
        if not 0 <= value < float("inf"):
            raise InvalidInput(field, f"{value:g} is outside the allowed range", "above 0")
    budget = Budget(message.attempts, message.max_tokens, message.max_cost_usd, message.max_seconds)
    return budget, message.candidates


def job_to_wire(job: Job) -> makings_pb2.Making:
    """Return a job as a message."""
    return makings_pb2.Making(
        making_id=job.making_id,
        task=job.task.name,
        task_digest=job.task.digest,
        kind=job.kind.value,
        state=MAKING_STATE.to_wire(job.state),
        budget=_budget_to_wire(job.budget),
        spent=_budget_to_wire(job.spent),
        token_use=map(token_use_to_wire, job.token_use),
        candidates=job.candidates,
        progress=wire_text(job.progress),
        owner=job.owner,
        starts=job.starts,
        cancel_requested=job.cancel_requested,
        reason=wire_text(job.reason),
        tool_digest=job.tool_digest,
        merged=job.merged,
        create_time=time_to_wire(job.created_at),
        end_time=None if job.finished_at is None else time_to_wire(job.finished_at),
    )


def making_info_from_wire(message: makings_pb2.Making) -> MakingInfo:
    """Return a making.

    Raises:
        InvalidInput: the state is not known.
    """
    return MakingInfo(
        making_id=message.making_id,
        task=message.task,
        task_digest=message.task_digest,
        kind=message.kind,
        state=MAKING_STATE.from_wire(message.state, "making.state"),
        budget=_budget_from_wire(message.budget),
        spent=_budget_from_wire(message.spent),
        token_use=tuple(map(token_use_from_wire, message.token_use)),
        candidates=message.candidates,
        progress=message.progress,
        owner=message.owner,
        starts=message.starts,
        cancel_requested=message.cancel_requested,
        reason=message.reason,
        tool_digest=message.tool_digest,
        merged=message.merged,
        created_at=time_from_wire(message.create_time),
        finished_at=time_from_wire(message.end_time) if message.HasField("end_time") else None,
    )


def attempt_to_wire(attempt: Attempt) -> makings_pb2.MakingAttempt:
    """Return an attempt as a message."""
    return makings_pb2.MakingAttempt(
        number=attempt.number,
        code=wire_text(attempt.source),
        stage=attempt.stage.value,
        accepted=attempt.accepted,
        verdict=wire_text(attempt.verdict),
        prompt_tokens=attempt.prompt_tokens,
        completion_tokens=attempt.completion_tokens,
        cost_usd=attempt.cost_usd,
        end_time=time_to_wire(attempt.at),
    )


def making_details_from_wire(message: makings_pb2.GetMakingResponse) -> MakingDetails:
    """Return a making with its attempts.

    Raises:
        InvalidInput: a state or a stage is not known.
    """
    return MakingDetails(making_info_from_wire(message.making), tuple(map(_attempt_from_wire, message.attempts)))


def _attempt_from_wire(message: makings_pb2.MakingAttempt) -> MakingAttempt:
    try:
        stage = Stage(message.stage)
    except ValueError:
        raise InvalidInput("attempt.stage", f"{message.stage[:80]!r} is not known", ", ".join(Stage)) from None
    return MakingAttempt(
        number=message.number,
        code=message.code,
        stage=stage,
        accepted=message.accepted,
        verdict=message.verdict,
        prompt_tokens=message.prompt_tokens,
        completion_tokens=message.completion_tokens,
        cost_usd=message.cost_usd,
        at=time_from_wire(message.end_time),
    )


def _budget_to_wire(budget: Budget) -> makings_pb2.MakingBudget:
    return makings_pb2.MakingBudget(
        attempts=budget.attempts, tokens=budget.tokens, cost_usd=budget.cost_usd, seconds=budget.seconds
    )


def _budget_from_wire(message: makings_pb2.MakingBudget) -> Budget:
    return Budget(message.attempts, message.tokens, message.cost_usd, message.seconds)
