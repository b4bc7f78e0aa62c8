"""The offline model as an OpenAI-compatible HTTP server, so that the very same client road is used without a key."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from toolwright.llm.offline.loopback import LoopbackServer
from toolwright.llm.offline.request import MAX_REQUEST_BYTES, ChatRequest, RequestRefused, read_request
from toolwright.llm.offline.script import MODELS, Script, ScriptedReply

FINGERPRINT = "toolwright-offline"
"""`system_fingerprint` of each reply, by which anyone can see what answered."""

_BYTES_PER_TOKEN = 4
_CREATED = 0
_IDLE_S = 30.0
_DISCARDED_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class OfflineModelServer(LoopbackServer):
    """Answers `GET /v1/models` and `POST /v1/chat/completions` from a script, within `with`.

    It is no language model: it knows a few kinds of question, and its replies are the same each time.
    """

    def __init__(self, script: Script | None = None) -> None:
        """Serve `script`, or the one that comes with the package."""
        super().__init__(functools.partial(ChatHandler, script or Script()))

    @property
    def base_url(self) -> str:
        """What to give to a client, as `http://127.0.0.1:40123/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"


def count_tokens(*values: object) -> int:
    """Return a token count for JSON values: their UTF-8 bytes as compact JSON, divided by four, rounded up.

    An estimate that is the same everywhere; about what English text takes with real models.
    """
    return math.ceil(sum(len(_compact(value)) for value in values) / _BYTES_PER_TOKEN)


class ChatHandler(BaseHTTPRequestHandler):
    """One connection of a caller."""

    protocol_version = "HTTP/1.1"  # keeps connections open
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one segment
    timeout = _IDLE_S

    def __init__(self, script: Script, *args: Any) -> None:  # noqa: ANN401 - as in http.server
        self._script = script
        super().__init__(*args)

    def do_GET(self) -> None:
        """List the models."""
        if self.route == "/v1/models":
            self.send(HTTPStatus.OK, {"object": "list", "data": [_model(name) for name in MODELS]})
        else:
            self.refuse(RequestRefused(f"there is no GET {self.route}", status=HTTPStatus.NOT_FOUND))

    def do_POST(self) -> None:
        """Complete a chat."""
        try:
            answer = self._complete(self.read_body())
        except RequestRefused as refusal:
            self.refuse(refusal)
        else:
            self.send(HTTPStatus.OK, answer)

    def _complete(self, body: bytes) -> dict[str, Any]:
        if self.route != "/v1/chat/completions":
            raise RequestRefused(f"there is no POST {self.route}", status=HTTPStatus.NOT_FOUND)
        request = read_request(body)
        if request.model not in MODELS:
            raise RequestRefused(
                f"there is no model {request.model[:100]!r}; there are {', '.join(MODELS)}",
                status=HTTPStatus.NOT_FOUND,
                param="model",
                code="model_not_found",
            )
        return completion(request, self._script.reply(request))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Say what `http.server` itself refuses in the same form as everything else."""
        self.close_connection = True
        self.refuse(RequestRefused(message or HTTPStatus(code).phrase, status=code))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as in http.server
        """Say nothing: the callers keep their own record."""

    @property
    def route(self) -> str:
        """The path without its query."""
        return self.path.split("?", 1)[0]

    def read_body(self) -> bytes:
        """Return the request's body.

        Raises:
            RequestRefused: its length is not given, or too large, or it ended early.
        """
        length = self.headers.get("content-length", "")
        if not length.isascii() or not length.isdecimal():
            self.close_connection = True  # where the next request starts is not known
            raise RequestRefused("a Content-Length is needed", status=HTTPStatus.LENGTH_REQUIRED)
        if len(length) > len(str(MAX_REQUEST_BYTES)) or int(length) > MAX_REQUEST_BYTES:
            self._discard(int(length[:12]))
            raise RequestRefused(
                f"the body has {length[:20]} bytes, more than {MAX_REQUEST_BYTES}",
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            raise RequestRefused("the body ended early")
        return body

    def _discard(self, length: int) -> None:
        """Read on: a caller who is still sending when the connection ends does not see the reply."""
        self.close_connection = True
        left = min(length, _DISCARDED_BYTES)
        while left > 0 and (chunk := self.rfile.read(min(left, _CHUNK_BYTES))):
            left -= len(chunk)

    def refuse(self, refusal: RequestRefused) -> None:
        """Send `refusal` as an error in OpenAI's form."""
        error = {
            "message": str(refusal),
            "type": "invalid_request_error",
            "param": refusal.param,
            "code": refusal.code,
        }
        self.send(refusal.status, {"error": error})

    def send(self, status: int, value: Mapping[str, Any]) -> None:
        """Send `value` as JSON."""
        body = _compact(value)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def completion(request: ChatRequest, reply: ScriptedReply) -> dict[str, Any]:
    """Return `reply` as the body of a chat completion."""
    digest = hashlib.sha256(_compact([request.model, request.prompt])).hexdigest()[:24]
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.function:
        function = {"name": reply.function, "arguments": reply.arguments_json}
        message["tool_calls"] = [{"id": f"call_{digest}", "type": "function", "function": function}]
    sent, received = count_tokens(*request.prompt), count_tokens(message.get("tool_calls", reply.text))
    return {
        "id": f"chatcmpl-offline-{digest}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "system_fingerprint": FINGERPRINT,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": "tool_calls" if reply.function else "stop",
            }
        ],
        "usage": {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received},
    }


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": FINGERPRINT}


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
