"""Tasks, tools and the evidence on them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from toolwright.domain.answers import infer_kind
from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.record import Check, Role, TokenUse, VerificationRecord
from toolwright.domain.task import Example, Task
from toolwright.domain.tool import Demonstration, Dependency, ToolInfo
from toolwright.errors import InvalidInput
from toolwright.services.convert.enums import ANSWER_KIND, STATUS, TOOL_STATE
from toolwright.services.convert.text import time_from_wire, time_to_wire, wire_text
from toolwright.v1 import tools_pb2, types_pb2

MAX_EXAMPLE_ID_CHARS = 200
_SCHEMA: Final = JsonRules(max_bytes=4 * 1024 * 1024)


def task_to_wire(task: Task) -> tools_pb2.Task:
    """Return a task as a message.

    Raises:
        InvalidInput: a text is no valid Unicode.
    """
    try:
        return tools_pb2.Task(
            name=task.name,
            description=task.description,
            training=map(_example_to_wire, task.training),
            held_out=map(_example_to_wire, task.held_out),
            answer_kind=ANSWER_KIND.to_wire(task.answer_kind),
            uses=task.uses,
        )
    except UnicodeEncodeError:
        raise InvalidInput(
            "task", "a description, an id or a reference holds a lone surrogate", "valid Unicode"
        ) from None


def task_from_wire(message: tools_pb2.Task) -> Task:
    """Return a task. Examples without an id get one from their place; an absent answer kind is inferred.

    Raises:
        InvalidInput: a field is off.
    """
    training = _examples_from_wire(message.training, "training")
    held_out = _examples_from_wire(message.held_out, "held_out")
    if message.answer_kind == types_pb2.ANSWER_KIND_UNSPECIFIED:
        kind = infer_kind(training + held_out)
    else:
        kind = ANSWER_KIND.from_wire(message.answer_kind, "task.answer_kind")
    return Task(message.name, message.description, training, held_out, kind, tuple(message.uses))


def tool_to_wire(tool: ToolInfo) -> tools_pb2.Tool:
    """Return a tool as a message."""
    return tools_pb2.Tool(
        name=tool.name,
        version=tool.number,
        digest=tool.digest,
        state=TOOL_STATE.to_wire(tool.state),
        summary=wire_text(tool.summary),
        signature=wire_text(tool.signature),
        parameters_json=json.dumps(tool.parameters),
        answer_kind=ANSWER_KIND.to_wire(tool.answer_kind),
        demonstrations=map(_demonstration_to_wire, tool.demonstrations),
        create_time=time_to_wire(tool.created_at),
        function=tool.function,
        verification_id=tool.verification_id,
        dependencies=[tools_pb2.Dependency(name=part.name, digest=part.digest) for part in tool.dependencies],
    )


def tool_from_wire(message: tools_pb2.Tool) -> ToolInfo:
    """Return a tool.

    Raises:
        InvalidInput: a field is off.
    """
    return ToolInfo(
        name=message.name,
        number=message.version,
        digest=message.digest,
        state=TOOL_STATE.from_wire(message.state, "tool.state"),
        function=message.function,
        summary=message.summary,
        signature=message.signature,
        parameters=_schema_from_wire(message.parameters_json),
        answer_kind=ANSWER_KIND.from_wire(message.answer_kind, "tool.answer_kind"),
        demonstrations=tuple(Demonstration(d.question, d.arguments_json, d.answer) for d in message.demonstrations),
        verification_id=message.verification_id,
        created_at=time_from_wire(message.create_time),
        dependencies=tuple(Dependency(part.name, part.digest) for part in message.dependencies),
    )


def verification_to_wire(record: VerificationRecord) -> tools_pb2.VerificationRecord:
    """Return a verification record as a message."""
    return tools_pb2.VerificationRecord(
        verification_id=record.verification_id,
        tool_digest=record.tool_digest,
        task_digest=record.task_digest,
        image_digest=record.image_digest,
        runtime=record.runtime,
        maker_model=wire_text(record.maker_model),
        user_model=wire_text(record.user_model),
        checks=map(_check_to_wire, record.checks),
        attempts=record.attempts,
        create_time=time_to_wire(record.at),
    )


def verification_from_wire(message: tools_pb2.VerificationRecord) -> VerificationRecord:
    """Return a verification record.

    Raises:
        InvalidInput: a status is not known.
    """
    return VerificationRecord(
        verification_id=message.verification_id,
        tool_digest=message.tool_digest,
        task_digest=message.task_digest,
        image_digest=message.image_digest,
        runtime=message.runtime,
        maker_model=message.maker_model,
        user_model=message.user_model,
        checks=tuple(map(_check_from_wire, message.checks)),
        attempts=message.attempts,
        at=time_from_wire(message.create_time),
    )


def token_use_to_wire(use: TokenUse) -> types_pb2.TokenUse:
    """Return sums of model use as a message."""
    return types_pb2.TokenUse(
        role=use.role.value,
        model=wire_text(use.model),
        calls=use.calls,
        prompt_tokens=use.prompt_tokens,
        completion_tokens=use.completion_tokens,
        cost_usd=use.cost_usd,
    )


def token_use_from_wire(message: types_pb2.TokenUse) -> TokenUse:
    """Return sums of model use.

    Raises:
        InvalidInput: the role is not known.
    """
    try:
        role = Role(message.role)
    except ValueError:
        raise InvalidInput("token_use.role", f"{message.role[:80]!r} is not known", ", ".join(Role)) from None
    return TokenUse(
        role, message.model, message.calls, message.prompt_tokens, message.completion_tokens, message.cost_usd
    )


def _example_to_wire(example: Example) -> types_pb2.Example:
    return types_pb2.Example(id=example.id, question=example.question, answer=example.answer)


def _examples_from_wire(messages: Iterable[types_pb2.Example], place: str) -> tuple[Example, ...]:
    examples = []
    for number, message in enumerate(messages, start=1):
        if len(message.id) > MAX_EXAMPLE_ID_CHARS:
            raise InvalidInput(
                f"task.{place}[{number - 1}].id",
                f"has {len(message.id)} characters",
                f"at most {MAX_EXAMPLE_ID_CHARS}",
            )
        examples.append(Example(message.id or f"{place}-{number}", message.question, message.answer))
    return tuple(examples)


def _demonstration_to_wire(shown: Demonstration) -> tools_pb2.Demonstration:
    return tools_pb2.Demonstration(
        question=wire_text(shown.question),
        arguments_json=wire_text(shown.arguments_json),
        answer=wire_text(shown.answer),
    )


def _check_to_wire(check: Check) -> tools_pb2.Check:
    return tools_pb2.Check(
        example_id=wire_text(check.example_id),
        held_out=check.held_out,
        status=STATUS.to_wire(check.status),
        passed=check.passed,
        execution_id=check.execution_id,
    )


def _check_from_wire(message: tools_pb2.Check) -> Check:
    return Check(
        example_id=message.example_id,
        held_out=message.held_out,
        status=STATUS.from_wire(message.status, "check.status"),
        passed=message.passed,
        execution_id=message.execution_id,
    )


def _schema_from_wire(text: str) -> Mapping[str, Any]:
    try:
        schema = _SCHEMA.parse(text)
    except JsonRefused as fault:
        raise InvalidInput("tool.parameters_json", str(fault)) from None
    if not isinstance(schema, dict):
        raise InvalidInput("tool.parameters_json", "is no JSON object")
    return schema
