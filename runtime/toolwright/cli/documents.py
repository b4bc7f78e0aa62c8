"""Values as JSON documents: the shapes that programs rely on. Keys are added, never renamed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from toolwright.client import ToolDetails
from toolwright.domain.events import (
    Answered,
    Called,
    Checked,
    Declined,
    Dispatched,
    Failed,
    Judged,
    Made,
    MakingEvent,
    Missed,
    NotMade,
    Proposed,
    Ran,
    Rejected,
    Resumed,
    SolveEvent,
    Started,
)
from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.making import MakingDetails, MakingInfo
from toolwright.domain.miss import Miss, MissGroup
from toolwright.domain.outcome import Execution, Outcome
from toolwright.domain.record import TokenUse, VerificationRecord
from toolwright.domain.tool import ToolInfo

_RESULT = JsonRules(max_bytes=16 * 1024 * 1024)


def execution_document(execution: Execution) -> dict[str, Any]:
    """Return a call's end as `run --json` and `call --json` show it. `result` is null unless it succeeded."""
    outcome = execution.outcome
    return {
        "execution_id": execution.execution_id,
        "status": outcome.status.value,
        "result": _result(outcome),
        "error": asdict(outcome.failure) if outcome.failure else None,
        "stdout": outcome.stdout.text,
        "stderr": outcome.stderr.text,
        "stdout_truncated": outcome.stdout.truncated,
        "stderr_truncated": outcome.stderr.truncated,
        "stdout_bytes": outcome.stdout.total_bytes,
        "stderr_bytes": outcome.stderr.total_bytes,
        "usage": asdict(outcome.usage),
        "limits": asdict(execution.limits),
        "timing": asdict(execution.timing),
        "provenance": asdict(execution.provenance),
        "from_cache": execution.from_cache,
    }


def tool_document(info: ToolInfo) -> dict[str, Any]:
    """Return a tool version as `tools list --json` shows it."""
    return {
        "reference": info.reference,
        "name": info.name,
        "version": info.number,
        "digest": info.digest,
        "state": info.state.value,
        "function": info.function,
        "summary": info.summary,
        "signature": info.signature,
        "parameters": dict(info.parameters),
        "answer_kind": info.answer_kind.value,
        "demonstrations": [asdict(demonstration) for demonstration in info.demonstrations],
        "verification_id": info.verification_id,
        "created_at": info.created_at,
        "limits": info.limits and asdict(info.limits),
        "image_digest": info.image_digest,
        "aliases": dict(info.aliases),
        "dependencies": [asdict(dependency) for dependency in info.dependencies],
    }


def details_document(details: ToolDetails) -> dict[str, Any]:
    """Return a tool version with its source, the evidence behind it, and the versions that are made from it."""
    return {
        **tool_document(details.info),
        "source": {"code": details.source.code, "function": details.source.function},
        "verification": verification_document(details.verification),
        "dependants": list(details.dependants),
        "synonyms": list(details.synonyms),
    }


def making_document(info: MakingInfo) -> dict[str, Any]:
    """Return a making as `makings list --json` shows it."""
    return {**asdict(info), "state": info.state.value, "token_use": use_document(info.token_use)}


def making_details_document(details: MakingDetails) -> dict[str, Any]:
    """Return a making with its attempts."""
    attempts = [{**asdict(attempt), "stage": attempt.stage.value} for attempt in details.attempts]
    return {**making_document(details.info), "attempt_records": attempts}


def verification_document(record: VerificationRecord) -> dict[str, Any]:
    """Return a verification record."""
    checks = [{**asdict(check), "status": check.status.value} for check in record.checks]
    gates = [{**asdict(gate), "gate": gate.gate.value} for gate in record.gates]
    return {**asdict(record), "checks": checks, "gates": gates, "passed": record.passed}


def group_document(group: MissGroup) -> dict[str, Any]:
    """Return a group of misses as `misses list --json` shows it."""
    return {name: value for name, value in asdict(group).items() if name != "tenant"} | {"state": group.state.value}


def miss_document(miss: Miss) -> dict[str, Any]:
    """Return a question that no tool fitted; `answer` is null as long as there is none."""
    document = {name: value for name, value in asdict(miss).items() if name != "tenant"}
    return {**document, "answer": miss.answer or None}


def use_document(uses: Iterable[TokenUse]) -> list[dict[str, Any]]:
    """Return what exchanges with models took and cost, one entry per role and model."""
    return [{**asdict(use), "role": use.role.value} for use in uses]


def event_document(event: SolveEvent | MakingEvent) -> dict[str, Any]:
    """Return a step of making or solving; `event` says which."""
    return {"event": _EVENT_NAMES[type(event)], **_event_fields(event)}


def _event_fields(event: SolveEvent) -> dict[str, Any]:
    match event:
        case Ran(execution):
            return execution_document(execution)
        case Made(tool, attempts, token_use, merged):
            document = {"tool": tool_document(tool), "attempts": attempts, "token_use": use_document(token_use)}
            return document | {"merged": merged}
        case Rejected(attempt, stage, feedback):
            return {"attempt": attempt, "stage": stage.value, "feedback": feedback}
        case Answered() | Declined() | Failed() | NotMade():
            return {**_plain(event), "token_use": use_document(event.token_use)}
        case _:
            return _plain(event)


def _plain(event: SolveEvent) -> dict[str, Any]:
    """Return the fields as they are. Enums of ours are strings, so JSON takes them."""
    return {name: getattr(event, name) for name in event.__dataclass_fields__ if name != "token_use"}


_EVENT_NAMES: dict[type, str] = {
    Proposed: "proposed",
    Rejected: "rejected",
    Checked: "checked",
    Judged: "judged",
    Made: "made",
    NotMade: "not_made",
    Started: "started",
    Resumed: "resumed",
    Dispatched: "dispatched",
    Missed: "missed",
    Called: "called",
    Ran: "ran",
    Answered: "answered",
    Declined: "declined",
    Failed: "failed",
}


def result_value(result_json: str) -> Any:  # noqa: ANN401 - the type of a JSON value
    """Return a result as a JSON value, integers exact; as the text itself if it is no JSON after all."""
    try:
        return _RESULT.parse(result_json)
    except JsonRefused:
        return result_json


def _result(outcome: Outcome) -> Any:  # noqa: ANN401 - the type of a JSON value
    return None if outcome.result_json is None else result_value(outcome.result_json)
