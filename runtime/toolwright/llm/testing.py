"""For tests: an endpoint that misbehaves as told, and a model without an endpoint.

Both are real and given to what is tested, never patched in:

    with ChatEndpoint() as endpoint:
        endpoint.will(Respond(503), completion("hello"))   # the last one repeats
        endpoint.will(FromScript(), model="offline-user")  # a model may have steps of its own
        model = OpenAIModel(Endpoint(endpoint.base_url, max_retries=1), "any")
"""

from __future__ import annotations

import functools
import json
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from toolwright.llm.base import FunctionCall, FunctionSpec, Message, Reply
from toolwright.llm.offline.loopback import LoopbackServer
from toolwright.llm.offline.request import read_request
from toolwright.llm.offline.script import Script
from toolwright.llm.offline.server import ChatHandler
from toolwright.llm.offline.server import completion as scripted_completion

RETRY_AT_ONCE = {"retry-after-ms": "1"}
"""Headers that make the SDK's next try come without a pause."""


@dataclass(frozen=True, slots=True)
class Respond:
    """Send this: `body` as it is if bytes or text, else as JSON."""

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    missing_bytes: int = 0
    """How many bytes the head promises beyond the body; the connection ends before they come."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Send nothing until the caller gives up or the endpoint stops."""


@dataclass(frozen=True, slots=True)
class Trickle:
    """Send a head, then a space each `pause_s` seconds, without end."""

    pause_s: float = 0.02


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection."""


@dataclass(frozen=True, slots=True)
class FromScript:
    """Answer as the offline model does."""

    script: Script = field(default_factory=Script)


@dataclass(frozen=True, slots=True)
class Wait:
    """Do `step`, but only after so many seconds; not at all if the endpoint stops before."""

    seconds: float
    step: Respond | FromScript = field(default_factory=FromScript)


Step = Respond | Hang | Trickle | Reset | FromScript | Wait


@dataclass(frozen=True, slots=True)
class Received:
    """A request that came in."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Mapping[str, Any]


class ChatEndpoint(LoopbackServer):
    """An endpoint on the loopback interface that does what it is told, step by step, and keeps what it was sent."""

    def __init__(self) -> None:
        """Start with the offline model's own replies."""
        super().__init__(functools.partial(_Handler, self))
        self._lock = threading.Lock()
        self._steps: dict[str, list[Step]] = {"": [FromScript()]}
        self._received: list[Received] = []
        self.stopping = threading.Event()
        """Set when the endpoint stops."""

    @property
    def base_url(self) -> str:
        """What to give to a client."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> tuple[Received, ...]:
        """All requests so far."""
        with self._lock:
            return tuple(self._received)

    def will(self, *steps: Step, model: str = "") -> None:
        """Take one step a request; the last one repeats. Steps for a `model` go before those for all."""
        with self._lock:
            self._steps[model] = list(steps)

    def take(self, received: Received) -> Step:
        """Keep a request and return the step for it."""
        with self._lock:
            self._received.append(received)
            steps = self._steps.get(str(received.body.get("model"))) or self._steps[""]
            return steps.pop(0) if len(steps) > 1 else steps[0]

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        super().__exit__(kind, fault, trace)


def completion(
    text: str | None = None,
    *,
    calls: Sequence[tuple[str, str]] = (),
    finish_reason: str | None = None,
    usage: Mapping[str, int] | None = None,
    **message: object,
) -> Respond:
    """Return a well-formed completion: `text`, or `calls` as pairs of name and arguments, and more message fields."""
    tool_calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(calls)
    ]
    said: dict[str, Any] = {"role": "assistant", "content": text, **message}
    if tool_calls:
        said["tool_calls"] = tool_calls
    choice = {"index": 0, "message": said, "finish_reason": finish_reason or ("tool_calls" if calls else "stop")}
    body: dict[str, Any] = {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 0,
        "model": "test",
        "choices": [choice],
    }
    if usage is not None:
        body["usage"] = usage
    return Respond(body=body)


class ScriptedModel:
    """A `ChatModel` that gives these replies in turn, raises those that are exceptions, and keeps what it was asked."""

    def __init__(self, *replies: Reply | Exception | str, name: str = "scripted") -> None:
        """`replies` are used up one by one; a text becomes a reply without calls, of 1 + 1 tokens."""
        self._replies = list(replies)
        self._name = name
        self.asked: list[tuple[Message, ...]] = []

    @property
    def name(self) -> str:
        """The name given."""
        return self._name

    def complete(
        self,
        messages: Sequence[Message],
        *,
        functions: Sequence[FunctionSpec] = (),  # noqa: ARG002 - as in ChatModel
        required: bool = False,  # noqa: ARG002 - as in ChatModel
        task: str = "",  # noqa: ARG002 - as in ChatModel
    ) -> Reply:
        """Return or raise the next reply; an AssertionError where there is none left."""
        self.asked.append(tuple(messages))
        if not self._replies:
            raise AssertionError(f"{self._name} was asked {len(self.asked)} times, more than it has replies")
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return Reply(reply, (), self._name, 1, 1) if isinstance(reply, str) else reply


def calling(name: str, arguments_json: str, *, model: str = "scripted") -> Reply:
    """Return a reply that calls the function `name`."""
    return Reply("", (FunctionCall("call_0", name, arguments_json),), model, 1, 1, "tool_calls")


class _Handler(ChatHandler):
    def __init__(self, endpoint: ChatEndpoint, *args: Any) -> None:
        self._endpoint = endpoint
        super().__init__(Script(), *args)

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        raw = self.read_body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        step = self._endpoint.take(Received(self.path, headers, json.loads(raw)))
        if isinstance(step, Wait):
            self._endpoint.stopping.wait(step.seconds)
            step = step.step
        match step:
            case Respond():
                self._respond(step)
            case Hang():
                self.close_connection = True
                self._endpoint.stopping.wait()
            case Trickle():
                self._trickle(step)
            case Reset():
                self.close_connection = True
                # lingering for 0 s means: reset, do not say goodbye
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            case FromScript():
                request = read_request(raw)
                self.send(200, scripted_completion(request, step.script.reply(request)))

    def _respond(self, step: Respond) -> None:
        body = step.body
        raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        self._head(step.status, step.content_type, len(raw) + step.missing_bytes, step.headers)
        self.wfile.write(raw)
        self.close_connection = self.close_connection or bool(step.missing_bytes)

    def _trickle(self, step: Trickle) -> None:
        self._head(200, "application/json", 1_000_000, {})
        self.close_connection = True
        while not self._endpoint.stopping.wait(step.pause_s):
            self.wfile.write(b" ")
            self.wfile.flush()

    def _head(self, status: int, content_type: str, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
