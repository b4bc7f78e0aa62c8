"""Requests and replies of both clients: domain values to messages and back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import grpc

from toolwright.client.values import Reverified, ToolDetails
from toolwright.domain.call import MAX_ARGUMENTS_BYTES, ExecutionRequest, Isolation, Operation
from toolwright.domain.feedback import OutcomeReport
from toolwright.domain.job import Budget
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task, check_question
from toolwright.errors import (
    ConnectionLost,
    DeadlineExceeded,
    InvalidInput,
    NotReady,
    Overloaded,
    ServerUnavailable,
    ServiceFault,
    ToolwrightError,
)
from toolwright.services.convert.execution import reference_from_wire, request_to_wire, source_from_wire, source_to_wire
from toolwright.services.convert.tools import task_to_wire, tool_from_wire, verification_from_wire
from toolwright.services.status import from_status, has_details
from toolwright.v1 import execution_pb2, makings_pb2, solve_pb2, tools_pb2

LONG_TIMEOUT_S: Final = 1800.0
"""Default for calls in which models are asked many times."""

RETRY_PAUSE_S: Final = 0.1
_INT32_MAX: Final = 2**31 - 1
_INT64_MAX: Final = 2**63 - 1
_NOT_CONNECTED: Final = ("failed to connect to all addresses", "errors resolving ", "DNS resolution failed")
_REFUSED: Final = "Received RST_STREAM with error code 7"
"""REFUSED_STREAM: by RFC 9113, 8.7, nothing of the call was processed. How gRPC turns a burst away below our code."""
_REFUSED_RETRY_S: Final = 1.0

KILLED: Final = "the call was killed, or had not begun"
MAKING_GOES_ON: Final = "nothing more is waited for, and the making goes on; follow_making shows it again"
"""What becomes of a call that takes longer than its caller waits."""

Message = TypeVar("Message")
Value = TypeVar("Value")


def execute_request(  # noqa: PLR0913 - the fields of the request
    tool: str | ToolSource,
    arguments: Mapping[str, Any] | None,
    *,
    arguments_json: str | None,
    limits: LimitsRequest | None,
    idempotency_key: str,
    operation: Operation,
    isolation: Isolation | None,
    bypass_cache: bool = False,
) -> execution_pb2.ExecuteToolRequest:
    """Return the message of a call.

    Raises:
        InvalidInput: a field is off. Nothing was sent.
    """
    if arguments is not None and arguments_json is not None:
        raise InvalidInput("arguments", "is given as well as arguments_json", "one of them")
    text = arguments_text({} if arguments is None else arguments) if arguments_json is None else arguments_json
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_ARGUMENTS_BYTES:
        raise InvalidInput("arguments_json", f"has {size} bytes", f"at most {MAX_ARGUMENTS_BYTES} bytes")
    asked = ExecutionRequest(
        tool,
        text,
        limits or LimitsRequest(),
        operation,
        idempotency_key=idempotency_key,
        isolation=isolation,
        bypass_cache=bypass_cache,
    )
    return request_to_wire(asked)


def arguments_text(arguments: Mapping[str, Any]) -> str:
    """Return keyword arguments as JSON text. Integers keep all digits.

    Raises:
        InvalidInput: a key is no text, or a value is no JSON value, NaN and Infinity included.
    """
    if not isinstance(arguments, Mapping):
        problem = f"is a {type(arguments).__name__}"
        raise InvalidInput("arguments", problem, "a mapping of the function's parameters to JSON values")
    try:
        _check_keys(arguments, "arguments")
        return json.dumps(dict(arguments), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as fault:
        raise InvalidInput("arguments", str(fault)[:300], "values that JSON has") from None


def _check_keys(value: object, path: str) -> None:
    """Refuse keys that are no text: JSON has none, and `json` would quietly write others as text."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidInput(path, f"the key {key!r:.80} is a {type(key).__name__}", "keys that are text")
            _check_keys(item, f"{path}.{key:.80}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_keys(item, f"{path}[{index}]")


def make_request(task: Task, attempts: int, budget: Budget | None, candidates: int) -> tools_pb2.MakeToolRequest:
    """Return the message that asks for a tool.

    Raises:
        InvalidInput: a field is off. Nothing was sent.
    """
    for field, number, most in (("attempts", attempts, 10), ("candidates", candidates, 8)):
        if not 0 <= number <= _INT32_MAX:
            allowed = f"1 to {most}; 0 for the server's setting"
            raise InvalidInput(field, f"{number} is outside the allowed range", allowed)
    budget = budget or Budget()
    if not 0 <= budget.tokens <= _INT64_MAX:
        raise InvalidInput("max_tokens", f"{budget.tokens} is outside the allowed range", "above 0")
    return tools_pb2.MakeToolRequest(
        task=task_to_wire(task),
        attempts=attempts or budget.attempts,
        max_tokens=budget.tokens,
        max_cost_usd=budget.cost_usd,
        max_seconds=budget.seconds,
        candidates=candidates,
    )


def cancel_request(making_id: str, reason: str) -> makings_pb2.CancelMakingRequest:
    """Return the message that ends a making.

    Raises:
        InvalidInput: a text holds a lone surrogate. Nothing was sent.
    """
    try:
        return makings_pb2.CancelMakingRequest(making_id=making_id, reason=reason)
    except UnicodeEncodeError:
        raise InvalidInput("reason", "holds a lone surrogate", "valid Unicode") from None


def register_request(task: Task, source: ToolSource, actor: str) -> tools_pb2.RegisterToolRequest:
    """Return the message that brings a person's code."""
    return tools_pb2.RegisterToolRequest(task=task_to_wire(task), source=source_to_wire(source), actor=actor)


def solve_request(
    question: str, tool: str, among: Sequence[str] = (), *, dispatch_only: bool = False, bypass_cache: bool = False
) -> solve_pb2.SolveRequest:
    """Return the message that asks a question.

    Raises:
        InvalidInput: the question is empty or too long. Nothing was sent.
    """
    checked = check_question(question)
    return solve_pb2.SolveRequest(
        question=checked, tool=tool, among=among, dispatch_only=dispatch_only, bypass_cache=bypass_cache
    )


def search_request(query: str, limit: int) -> tools_pb2.SearchToolsRequest:
    """Return the message that looks for tools.

    Raises:
        InvalidInput: a field is off. Nothing was sent.
    """
    if not 0 <= limit <= _INT32_MAX:
        raise InvalidInput("limit", f"{limit} is outside the allowed range", "1 to 100; 0 for 5")
    return tools_pb2.SearchToolsRequest(query=check_question(query, "query"), limit=limit)


def check_group(group: str) -> str:
    """Return `group` if it can be the id of a group of misses.

    Raises:
        InvalidInput: it is empty.
    """
    if not group:
        raise InvalidInput("group", "is empty", "the id of a group")
    return group


def answer_miss_request(miss: str, answer: str, actor: str) -> solve_pb2.AnswerMissRequest:
    """Return the message that brings a person's answer.

    Raises:
        InvalidInput: a text is no valid Unicode. Nothing was sent.
    """
    try:
        return solve_pb2.AnswerMissRequest(miss=miss, answer=answer, actor=actor)
    except (UnicodeEncodeError, ValueError):
        raise InvalidInput("answer", "is no valid Unicode", "UTF-8 text") from None


def misses_request(group: str, token: str) -> solve_pb2.ListMissesRequest:
    """Return the message that asks for groups of misses, or for the questions of one.

    Raises:
        InvalidInput: the group's id is no valid Unicode. Nothing was sent.
    """
    try:
        return solve_pb2.ListMissesRequest(group=group, page_token=token)
    except (UnicodeEncodeError, ValueError):
        raise InvalidInput("group", "is no valid Unicode", "the id of a group") from None


def report_request(execution_id: str, *, correct: bool, answer: str, actor: str) -> tools_pb2.ReportOutcomeRequest:
    """Return the message that tells whether an answer was right.

    Raises:
        InvalidInput: a text is too long, or no valid Unicode. Nothing was sent.
    """
    OutcomeReport(execution_id, correct, answer, actor, at=0.0)  # the same bounds as the server's
    try:
        return tools_pb2.ReportOutcomeRequest(execution_id=execution_id, correct=correct, answer=answer, actor=actor)
    except UnicodeEncodeError:
        raise InvalidInput("answer", "or another text holds a lone surrogate", "valid Unicode") from None


def verify_request(reference: str, actor: str) -> tools_pb2.VerifyToolRequest:
    """Return the message that has a version verified again.

    Raises:
        InvalidInput: the reference is empty or too long. Nothing was sent.
    """
    return tools_pb2.VerifyToolRequest(tool=reference_from_wire(reference, "reference"), actor=actor)


def reverified_from_wire(message: tools_pb2.VerifyToolResponse) -> Reverified:
    """Return what came of verifying a version again."""
    return Reverified(passed=message.passed, tool=tool_from_wire(message.tool), reason=message.reason)


def get_request(reference: str) -> tools_pb2.GetToolRequest:
    """Return the message that asks for a version.

    Raises:
        InvalidInput: the reference is empty or too long. Nothing was sent.
    """
    return tools_pb2.GetToolRequest(tool=reference_from_wire(reference, "reference"))


def details_from_wire(message: tools_pb2.GetToolResponse) -> ToolDetails:
    """Return a tool with its source and evidence."""
    return ToolDetails(
        info=tool_from_wire(message.tool),
        source=source_from_wire(message.source),
        verification=verification_from_wire(message.verification),
        synonyms=tuple(message.synonyms),
        dependants=tuple(message.dependants),
    )


def read(convert: Callable[[Message], Value], message: Message) -> Value:
    """Return a reply as a domain value.

    Raises:
        ServiceFault: it holds what this client does not know.
    """
    try:
        return convert(message)
    except InvalidInput as fault:
        raise ServiceFault(f"the server's reply does not fit this client ({fault}); use the same version") from None


def fault_of(raised: grpc.RpcError, target: str, *, timeout_s: float, late: str) -> ToolwrightError:
    """Return the fault that a status error stands for.

    Args:
        raised: as gRPC raised it.
        target: names the server in a fault of the connection.
        timeout_s: how long the call might take.
        late: what becomes of a call that takes longer.
    """
    fault = from_status(raised)
    if isinstance(fault, DeadlineExceeded):
        return DeadlineExceeded(f"no end within {timeout_s:g} s (timeout_s): {fault if has_details(raised) else late}")
    if not isinstance(fault, ServerUnavailable) or has_details(raised):
        return fault
    if not_connected(raised):
        return ServerUnavailable(
            f"no Toolwright server answers at {target} ({fault}); start one with `toolwright serve`"
        )
    if _REFUSED in str(fault):
        return Overloaded(
            f"the server at {target} has too many calls at a time; the tool did not run", _REFUSED_RETRY_S
        )
    return ConnectionLost(
        f"The connection to {target} broke while the call ran ({fault}). It may have run: call again only if running "
        "it twice does no harm, or with the idempotency_key of the first try while the same server runs"
    )


def not_connected(raised: grpc.RpcError) -> bool:
    """Whether no connection was made, so that nothing was sent and nothing ran.

    gRPC tells this by its text alone; a text of a server of ours comes with details. Any other text is taken
    to come after something was sent.
    """
    # The two kinds of client have no common class with `details`.
    text = raised.details() if hasattr(raised, "details") else None
    return (text or "").startswith(_NOT_CONNECTED) and not has_details(raised)


def closed() -> NotReady:
    """Return the fault of using a client after its end."""
    return NotReady("this client is closed: make another")


def long(timeout_s: float | None) -> float:
    """Return `timeout_s`, or the default of calls in which models are asked many times."""
    return LONG_TIMEOUT_S if timeout_s is None else timeout_s


def check_timeout(timeout_s: float) -> float:
    """Return `timeout_s` if one can wait for so long.

    Raises:
        InvalidInput: it is not above 0.
    """
    if not 0 < timeout_s <= 7 * 86_400:
        raise InvalidInput("timeout_s", f"{timeout_s} is outside the allowed range", "above 0, at most a week")
    return timeout_s


@dataclass(frozen=True, slots=True)
class Clock:
    """How long a call may take, and how long a connection may be tried for."""

    timeout_s: float
    end: float
    give_up: float

    @classmethod
    def start(cls, timeout_s: float, connect_timeout_s: float) -> Clock:
        """Start now.

        Raises:
            InvalidInput: `timeout_s` is not above 0.
        """
        now = time.monotonic()
        return cls(timeout_s, now + check_timeout(timeout_s), now + min(timeout_s, connect_timeout_s))

    @property
    def left_s(self) -> float:
        """Seconds left for the call; never 0, which would mean "at once"."""
        return max(0.001, self.end - time.monotonic())

    def may_retry(self, raised: grpc.RpcError) -> bool:
        """Whether to try again: only where nothing was sent, and not for long."""
        return not_connected(raised) and time.monotonic() < self.give_up
