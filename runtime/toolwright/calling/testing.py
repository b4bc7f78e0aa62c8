"""Stand-ins for tests: models with scripted replies, and an executor whose tools are functions of the test.

They keep the promises of `ChatModel` and `Executor`. Tool source is never run: it only names the
function that stands for it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Execution, Failure, Outcome, Provenance, Status, Timing
from toolwright.domain.source import ToolSource
from toolwright.execution.arguments import check_arguments
from toolwright.llm.base import ChatModel, FunctionCall, FunctionSpec, Message, Reply
from toolwright.registry.base import Store
from toolwright.sandbox.base import Cancellation, SandboxInfo

READER = "report_of_source"
"""Function of our own program that reads a tool's source in the sandbox; here it finds nothing remarkable."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request as a scripted model got it."""

    messages: tuple[Message, ...]
    functions: tuple[FunctionSpec, ...]
    required: bool
    task: str

    @property
    def question(self) -> str:
        """The last user message."""
        return next(message.content for message in reversed(self.messages) if message.role == "user")

    @property
    def repairs(self) -> bool:
        """Whether the model is shown what was wrong with a call of its own."""
        return self.messages[-1].role in {"tool", "system"}

    @property
    def text(self) -> str:
        """All that was sent, for searching."""
        calls = [call.arguments_json for message in self.messages for call in message.calls]
        return "\n".join([*(message.content for message in self.messages), *calls, repr(self.functions)])


Scripted = Reply | Exception
Rule = Callable[[ModelRequest], Scripted]


def says(text: str, *, finish_reason: str = "stop") -> Reply:
    """Return a reply of text alone."""
    return Reply(text, (), "scripted", 100, 10, finish_reason)


def calls(name: str, arguments: Mapping[str, Any] | str, *, more: Iterable[FunctionCall] = ()) -> Reply:
    """Return a reply that calls `name`; arguments given as text are sent as they are."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return Reply("", (FunctionCall("call_1", name, text), *more), "scripted", 50, 5, "tool_calls")


@dataclass(slots=True)
class ScriptedModel:
    """A `ChatModel` that gives `replies` in turn, or what a rule makes of each request."""

    replies: Sequence[Scripted] | Rule
    name: str = "scripted"
    requests: list[ModelRequest] = field(default_factory=list)

    def complete(
        self,
        messages: Sequence[Message],
        *,
        functions: Sequence[FunctionSpec] = (),
        required: bool = False,
        task: str = "",
    ) -> Reply:
        """Give the next reply, or raise it if it is an exception."""
        request = ModelRequest(tuple(messages), tuple(functions), required, task)
        self.requests.append(request)
        reply = self.replies(request) if callable(self.replies) else self.replies[len(self.requests) - 1]
        if isinstance(reply, Exception):
            raise reply
        return reply


@dataclass(frozen=True, slots=True)
class StandIn:
    """What stands for a tool: a function of the test, and what the sandbox says of it."""

    function: Callable[..., Any]
    """Returns a result, raises, or returns a whole `Outcome`."""
    description: Mapping[str, Any] | Outcome

    @classmethod
    def of(cls, function: Callable[..., Any], **types: str) -> StandIn:
        """Return a stand-in whose parameters have the JSON `types` given."""
        properties = {name: {"type": kind} for name, kind in types.items()}
        schema = {
            "type": "object",
            "properties": properties,
            "required": list(types),
            "additionalProperties": False,
        }
        return cls(function, {"summary": "Solves it.", "signature": "solve(…) -> object", "parameters": schema})


@dataclass(slots=True)
class StandInExecutor:
    """An `Executor` that calls the stand-in for the source it is given."""

    stand_ins: Mapping[str, StandIn]
    """By a text that occurs in the code."""
    store: Store | None = None
    """Where references are looked up."""
    faults: list[Exception] = field(default_factory=list)
    """Raised by the next executions, one each."""
    requests: list[ExecutionRequest] = field(default_factory=list)

    @property
    def info(self) -> SandboxInfo:
        """Image and runtime that calls run under."""
        return SandboxInfo("", "sha256:" + "0" * 64, "stand-in")

    def execute(
        self,
        request: ExecutionRequest,
        *,
        deadline_s: float | None = None,  # noqa: ARG002 - a stand-in takes no time
        cancellation: Cancellation | None = None,  # noqa: ARG002
    ) -> Execution:
        """Run one call to its end."""
        self.requests.append(request)
        if self.faults:
            raise self.faults.pop(0)
        source = self._source(request)
        if source.function == READER:
            return self._ended(source, succeeded({"imports": [], "missing": [], "texts": []}))
        stand_in = next(stand_in for mark, stand_in in self.stand_ins.items() if mark in source.code)
        if request.operation is Operation.DESCRIBE:
            described = stand_in.description
            outcome = described if isinstance(described, Outcome) else succeeded(described)
        else:
            outcome = _called(stand_in, request.arguments_json)
        return self._ended(source, outcome)

    def _ended(self, source: ToolSource, outcome: Outcome) -> Execution:
        provenance = Provenance(source.digest, self.info.image_digest, self.info.runtime, "container")
        return Execution(secrets.token_hex(16), outcome, Limits(), Timing(), provenance)

    def _source(self, request: ExecutionRequest) -> ToolSource:
        if isinstance(request.target, ToolSource):
            return request.target
        if self.store is None:
            raise ValueError("a reference needs a store")
        version = self.store.get_tool(request.target).version
        check_arguments(version.description.parameters, request.arguments_json)
        return version.source


def succeeded(result: object) -> Outcome:
    """Return the outcome of a call that returned `result`."""
    return Outcome(Status.SUCCESS, result_json=json.dumps(result))


def failed(status: Status, kind: str = "", message: str = "", traceback: str = "") -> Outcome:
    """Return the outcome of a call that ended with `status`."""
    return Outcome(status, failure=Failure(kind or status.value, message, traceback))


def _called(stand_in: StandIn, arguments_json: str) -> Outcome:
    try:
        result = stand_in.function(**json.loads(arguments_json))
    except Exception as fault:  # noqa: BLE001 - a tool may raise anything
        return failed(Status.TOOL_ERROR, type(fault).__name__, str(fault))
    return result if isinstance(result, Outcome) else succeeded(result)


_MODEL: type[ChatModel] = ScriptedModel  # so that the type checker compares them
