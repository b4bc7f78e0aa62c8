"""A chat completion request as the offline model reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolwright.domain.json_rules import JsonRefused, JsonRules

MAX_REQUEST_BYTES = 8 * 1024 * 1024
_RULES = JsonRules(MAX_REQUEST_BYTES)
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


class RequestRefused(ValueError):
    """The request cannot be served; becomes an error reply in OpenAI's form."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code


@dataclass(frozen=True, slots=True)
class Turn:
    """One message."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function that may be called."""

    name: str
    parameters: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Any]:
        """Schemas of the arguments by name."""
        properties = self.parameters.get("properties")
        return properties if isinstance(properties, Mapping) else {}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What was asked."""

    model: str
    turns: tuple[Turn, ...]
    functions: tuple[Function, ...]
    prompt: tuple[Any, ...]
    """Messages and tools as sent, for counting tokens."""

    @property
    def question(self) -> str:
        """The last user message."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def instructions(self) -> str:
        """All system messages."""
        return "\n\n".join(turn.text for turn in self.turns if turn.role in {"system", "developer"})


def read_request(body: bytes) -> ChatRequest:
    """Return the request that `body` holds.

    Raises:
        RequestRefused: it is no JSON, has another form, or asks for what scripts cannot give.
    """
    try:
        value = _RULES.parse(body)
    except JsonRefused as refusal:
        raise RequestRefused(f"the body {refusal}") from None
    request = _object(value, "the body", None)
    model = request.get("model")
    if not isinstance(model, str) or not model:
        raise RequestRefused("model must be a non-empty string", param="model")
    if request.get("stream"):
        raise RequestRefused("the offline model does not stream; leave stream out", param="stream")
    if (request.get("response_format") or {"type": "text"}) != {"type": "text"}:
        raise RequestRefused("the offline model has no forms of replies; leave it out", param="response_format")
    if request.get("n") not in (None, 1):
        raise RequestRefused("the offline model gives one choice; leave n out", param="n")
    messages = _list(request.get("messages"), "messages")
    if not messages:
        raise RequestRefused("messages must not be empty", param="messages")
    tools = _list(request.get("tools") or [], "tools")
    return ChatRequest(
        model=model,
        turns=tuple(_turn(message, f"messages[{number}]") for number, message in enumerate(messages)),
        functions=tuple(_function(tool, f"tools[{number}]") for number, tool in enumerate(tools)),
        prompt=(*messages, *tools),
    )


def _turn(value: object, name: str) -> Turn:
    message = _object(value, name, name)
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or role not in _ROLES:
        raise RequestRefused(f"{name}.role must be one of {', '.join(sorted(_ROLES))}", param=f"{name}.role")
    if content is None and role == "assistant" and message.get("tool_calls"):
        content = ""
    if isinstance(content, list):
        content = "".join(_part(part, f"{name}.content[{number}]") for number, part in enumerate(content))
    if not isinstance(content, str):
        raise RequestRefused(f"{name}.content must be text", param=f"{name}.content")
    return Turn(role, content)


def _part(value: object, name: str) -> str:
    part = _object(value, name, name)
    text = part.get("text")
    if part.get("type") != "text" or not isinstance(text, str):
        raise RequestRefused(f"{name} is no text; the offline model reads nothing else", param=name)
    return text


def _function(value: object, name: str) -> Function:
    tool = _object(value, name, name)
    function = _object(tool.get("function"), f"{name}.function", f"{name}.function")
    called = function.get("name")
    if tool.get("type") != "function" or not isinstance(called, str) or not called:
        raise RequestRefused(f"{name} must be a function with a name", param=name)
    return Function(called, _object(function.get("parameters") or {}, f"{name}.function.parameters", name))


def _object(value: object, name: str, param: str | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RequestRefused(f"{name} must be a JSON object", param=param)
    return value


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise RequestRefused(f"{name} must be a list", param=name)
    return value
