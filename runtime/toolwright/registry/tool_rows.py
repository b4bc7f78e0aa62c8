"""Tasks, tool versions and verification records as rows, and back.

All trust rests on these, so each carries a digest that is computed anew at every read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from toolwright.domain.outcome import Status
from toolwright.domain.record import Check, VerificationRecord
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.domain.tool import Demonstration, Dependency, Description, RegisteredTool, ToolState, ToolVersion
from toolwright.errors import InvalidInput
from toolwright.registry.base import Heading
from toolwright.registry.rows import Row, decoding, from_bytes, to_bytes
from toolwright.registry.storable import check_storable

# --- tasks ----------------------------------------------------------------------------------------


def task_row(task: Task) -> Row:
    """Return the row for `task`."""
    body = _dump(
        {
            "name": task.name,
            "description": task.description,
            "answer_kind": task.answer_kind.value,
            "training": [[e.id, e.question, e.answer] for e in task.training],
            "held_out": [[e.id, e.question, e.answer] for e in task.held_out],
            **({"uses": list(task.uses)} if task.uses else {}),
        },
        "task",
    )
    return {"name": task.name, "digest": task.digest, "body": body}


def task_from(row: Mapping[str, Any]) -> Task:
    """Return the task in `row`.

    Raises:
        DamagedRow: it is not what was kept.
    """
    with decoding(f"task {row['name']!r}"):
        body = json.loads(row["body"])
        task = Task(
            name=body["name"],
            description=body["description"],
            training=tuple(Example(*example) for example in body["training"]),
            held_out=tuple(Example(*example) for example in body["held_out"]),
            answer_kind=AnswerKind(body["answer_kind"]),
            uses=tuple(body.get("uses", ())),
        )
        _expect(task.name, row["name"])
        _expect(task.digest, row["digest"])
    return task


# --- tool versions --------------------------------------------------------------------------------


def version_row(version: ToolVersion) -> Row:
    """Return the immutable columns for `version`."""
    description = version.description
    definition = _dump(
        {
            "summary": description.summary,
            "signature": description.signature,
            "parameters": description.parameters,
            "answer_kind": version.answer_kind.value,
            "task_description": version.task_description,
            "demonstrations": [[d.question, d.arguments_json, d.answer] for d in version.demonstrations],
            **(
                {"dependencies": [[part.name, part.digest] for part in version.dependencies]}
                if version.dependencies
                else {}
            ),
        },
        "tool",
    )
    return {
        "digest": version.digest,
        "name": version.name,
        "function": version.source.function,
        "code": to_bytes(version.source.code),
        "definition": definition,
    }


def registered_from(row: Mapping[str, Any]) -> RegisteredTool:
    """Return the version in `row`, its digest computed anew.

    A row with `verified_digest` also has to be what its verification record is for.

    Raises:
        DamagedRow: it is not what was kept, or not what was verified.
    """
    with decoding(f"tool version {row['digest']}"):
        definition = json.loads(row["definition"])
        version = ToolVersion(
            name=row["name"],
            source=ToolSource(code=from_bytes(row["code"]), function=row["function"]),
            description=Description(definition["summary"], definition["signature"], definition["parameters"]),
            answer_kind=AnswerKind(definition["answer_kind"]),
            demonstrations=tuple(Demonstration(*demonstration) for demonstration in definition["demonstrations"]),
            task_description=definition["task_description"],
            dependencies=tuple(Dependency(*part) for part in definition.get("dependencies", ())),
        )
        _expect(version.digest, row["digest"])
        _expect(str(row.get("verified_digest", version.digest)), version.digest)
        return RegisteredTool(
            version=version,
            number=int(row["number"]),
            state=ToolState(row["state"]),
            verification_id=row["verification_id"],
            created_at=float(row["created_at"]),
        )


def heading_from(row: Mapping[str, Any]) -> Heading:
    """Return the heading in the row of a version, or of a task.

    Raises:
        DamagedRow: it is not what was kept.
    """
    with decoding(f"the heading of {row['name']!r}"):
        return Heading(row["name"], row["digest"], ToolState(row["state"]) if "state" in row else None)


# --- verification records -------------------------------------------------------------------------


def verification_row(record: VerificationRecord) -> Row:
    """Return the row for `record`."""
    content = {field.name: getattr(record, field.name) for field in fields(VerificationRecord)}
    check_storable(content, "verification")
    content["checks"] = [[c.example_id, c.held_out, c.status.value, c.passed, c.execution_id] for c in record.checks]
    body = _dump(content, "verification")
    return {
        "verification_id": record.verification_id,
        "tool_digest": record.tool_digest,
        "task_digest": record.task_digest,
        "body": body,
        "digest": _sha256(body),
    }


def verification_from(row: Mapping[str, Any]) -> VerificationRecord:
    """Return the record in `row`.

    Raises:
        DamagedRow: it is not what was kept.
    """
    with decoding(f"verification record {row['verification_id']!r}"):
        _expect(_sha256(row["body"]), row["digest"])
        content = json.loads(row["body"])
        content["checks"] = tuple(
            Check(example, held_out, Status(status), passed, execution)
            for example, held_out, status, passed, execution in content["checks"]
        )
        record = VerificationRecord(**content)
        _expect(record.verification_id, row["verification_id"])
        _expect(record.tool_digest, row["tool_digest"])
        _expect(record.task_digest, row["task_digest"])
    return record


# --- shared ---------------------------------------------------------------------------------------


def _dump(value: Row, where: str) -> str:
    """Return ASCII JSON in the order given: the order of a schema's properties means something to models."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as fault:
        raise InvalidInput(where, f"cannot be kept as JSON: {fault}", "finite JSON values") from None


def _sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _expect(found: str, wanted: str) -> None:
    if found != wanted:
        raise ValueError(f"its content gives {found[:80]!r}")
