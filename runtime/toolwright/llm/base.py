"""What a chat model promises to the rooms that use one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A function that the model may call, as in `tools=[…]` of Chat Completions."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON Schema of the arguments."""
    strict: bool = True
    """Whether to ask the endpoint to keep to the schema exactly; done only where `parameters` allows strict mode."""
    as_text: bool = False
    """Whether the reply itself is to have this form, as text, in place of a call. Only where it is the one function
    given; it comes back as a call all the same."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call that the model asks for. Name and arguments are untrusted text."""

    id: str
    name: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    calls: tuple[FunctionCall, ...] = ()
    """For `assistant`: the calls it asked for."""
    call_id: str = ""
    """For `tool`: the call that this answers."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said. `text` is empty where it only called functions."""

    text: str
    calls: tuple[FunctionCall, ...]
    model: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str = "stop"
    """As the endpoint gave it: `stop`, `length`, `tool_calls`, `content_filter`."""
    asked: str = ""
    """The model name that was asked for, which prices know. Empty: the one that `ChatModel.name` gives."""


class ChatModel(Protocol):
    """A language model behind an endpoint."""

    @property
    def name(self) -> str:
        """Model name as the endpoint knows it."""

    def complete(
        self,
        messages: Sequence[Message],
        *,
        functions: Sequence[FunctionSpec] = (),
        required: bool = False,
        task: str = "",
    ) -> Reply:
        """Send `messages` and return the reply.

        Args:
            messages: the chat so far.
            functions: what the model may call.
            required: whether it must call one of them.
            task: name of the task or tool this is for; only for the cost ledger.

        Raises:
            ModelUnavailable: no answer, or 429 or 5xx, after all retries.
            ModelRejected: the endpoint refused the request.
            ModelReplyInvalid: the reply is no chat completion.
            ModelContextExceeded: the chat is longer than the model can take.
            ModelRefused: the model declined to answer.
            ModelExchangeMissing: replies are replayed, and this one was not recorded.
        """
