"""The offline model over HTTP: through the SDK, and with requests that no SDK sends."""

from __future__ import annotations

import http.client
import json
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from toolwright.errors import ModelRejected, ModelUnavailable
from toolwright.llm.base import FunctionSpec, Message
from toolwright.llm.offline import FINGERPRINT, MODEL_NAMES, OfflineModelServer
from toolwright.llm.offline.request import MAX_REQUEST_BYTES
from toolwright.llm.offline.server import count_tokens
from toolwright.llm.openai_model import OpenAIModel

OpenModel = Callable[..., OpenAIModel]
QUESTION = "Sort the following words alphabetically: List: pear apple fig"
SORT = FunctionSpec(
    "sort_words",
    "Sort words.",
    {
        "type": "object",
        "properties": {"words": {"type": "array", "items": {"type": "string"}}},
        "required": ["words"],
        "additionalProperties": False,
    },
)


def send(server: OfflineModelServer, body: bytes, path: str = "/v1/chat/completions", **headers: str) -> Any:
    """POST raw bytes and return status and JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def chat(**changes: object) -> bytes:
    """A request for a completion."""
    request = {"model": "offline-user", "messages": [{"role": "user", "content": QUESTION}], **changes}
    return json.dumps(request).encode()


def test_models_are_listed(offline_server: OfflineModelServer) -> None:
    """Any client can see which models there are, and whose."""
    with openai.OpenAI(base_url=offline_server.base_url, api_key="any") as client:
        models = list(client.models.list())

    assert tuple(model.id for model in models) == MODEL_NAMES
    assert {model.owned_by for model in models} == {FINGERPRINT}


def test_completion_has_the_shape_that_the_sdk_knows(offline_server: OfflineModelServer) -> None:
    """The SDK's own model takes the reply under strict validation, and it says what answered."""
    with openai.OpenAI(base_url=offline_server.base_url, api_key="any", _strict_response_validation=True) as client:
        reply = client.chat.completions.create(model="offline-strong", messages=[{"role": "user", "content": QUESTION}])

    assert reply.system_fingerprint == "toolwright-offline"
    assert reply.choices[0].message.content == "apple fig pear"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_user_calls_a_function(offline_server: OfflineModelServer, open_model: OpenModel) -> None:
    """A real question becomes a real function call."""
    model = open_model(offline_server.base_url, "offline-user")

    reply = model.complete([Message("user", QUESTION)], functions=[SORT], required=True)

    assert reply.calls[0].name == "sort_words"
    assert json.loads(reply.calls[0].arguments_json) == {"words": ["pear", "apple", "fig"]}
    assert reply.finish_reason == "tool_calls"


def test_repair_turn_is_understood(offline_server: OfflineModelServer, open_model: OpenModel) -> None:
    """A chat that holds a call and its error is answered again."""
    model = open_model(offline_server.base_url, "offline-user")
    first = model.complete([Message("user", QUESTION)], functions=[SORT])

    again = model.complete(
        [
            Message("user", QUESTION),
            Message("assistant", "", calls=first.calls),
            Message("tool", "no", call_id=first.calls[0].id),
        ],
        functions=[SORT],
    )

    assert again.calls[0].arguments_json == first.calls[0].arguments_json


def test_same_request_has_the_same_reply(offline_server: OfflineModelServer) -> None:
    """Nothing but the time differs, so runs can be compared."""
    replies = [send(offline_server, chat())[1] for _ in range(2)]
    for reply in replies:
        reply.pop("created")

    assert replies[0] == replies[1]


def test_tokens_are_bytes_by_four(offline_server: OfflineModelServer, open_model: OpenModel) -> None:
    """The count is over messages and tools as compact JSON, as documented."""
    message = {"role": "user", "content": "käse"}

    reply = open_model(offline_server.base_url, "offline-user").complete([Message("user", "käse")])

    assert reply.prompt_tokens == math.ceil(len('{"role":"user","content":"käse"}'.encode()) / 4)
    assert reply.prompt_tokens == count_tokens(message)
    assert reply.completion_tokens == count_tokens(reply.text)


def test_unknown_model_is_not_found(offline_server: OfflineModelServer, open_model: OpenModel) -> None:
    """The error names the models that there are."""
    with pytest.raises(ModelRejected, match=r"HTTP 404 .*no model 'gpt-9'.*offline-maker.*model name"):
        open_model(offline_server.base_url, "gpt-9").complete([Message("user", "?")])


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b"", None, "is no JSON"),
        (b"{", None, "is no JSON"),
        (b"[]", None, "must be a JSON object"),
        (b"[" * 100_000, None, "nested deeper"),
        (b"\xff", None, "UTF-8"),
        (chat(model=None), "model", "model must be"),
        (chat(model={}), "model", "model must be"),
        (chat(stream=True), "stream", "does not stream"),
        (chat(n=2), "n", "one choice"),
        (chat(n=[]), "n", "one choice"),
        (chat(messages=None), "messages", "must be a list"),
        (chat(messages=[]), "messages", "must not be empty"),
        (chat(messages=["x"]), "messages[0]", "must be a JSON object"),
        (chat(messages=[{"role": "king", "content": "x"}]), "messages[0].role", "must be one of"),
        (chat(messages=[{"role": "user"}]), "messages[0].content", "must be text"),
        (chat(messages=[{"role": "user", "content": [{"type": "image_url"}]}]), "messages[0].content[0]", "no text"),
        (chat(tools={"a": 1}), "tools", "must be a list"),
        (chat(tools=[{"type": "function"}]), "tools[0].function", "must be a JSON object"),
        (chat(tools=[{"type": "function", "function": {}}]), "tools[0]", "with a name"),
    ],
)
def test_bad_request_is_refused_in_the_form_of_openai(
    offline_server: OfflineModelServer, body: bytes, param: str | None, words: str
) -> None:
    """Each names the field; the server goes on."""
    status, value = send(offline_server, body)

    assert status == 400
    assert value["error"]["type"] == "invalid_request_error"
    assert value["error"]["param"] == param
    assert words in value["error"]["message"]
    assert send(offline_server, chat())[0] == 200


def test_content_in_parts_is_read(offline_server: OfflineModelServer) -> None:
    """Clients that send text as parts are understood."""
    parts = [{"type": "text", "text": QUESTION[:20]}, {"type": "text", "text": QUESTION[20:]}]

    _, value = send(offline_server, chat(model="offline-strong", messages=[{"role": "user", "content": parts}]))

    assert value["choices"][0]["message"]["content"] == "apple fig pear"


def test_too_large_a_request_is_refused(offline_server: OfflineModelServer) -> None:
    """The body is not parsed, and the caller, who sends more than buffers hold, can still read why."""
    status, value = send(offline_server, b" " * (5 * MAX_REQUEST_BYTES))

    assert status == 413
    assert f"more than {MAX_REQUEST_BYTES}" in value["error"]["message"]


@pytest.mark.parametrize("length", ["x", "-5", "٣", ""])
def test_length_that_is_none_is_refused(offline_server: OfflineModelServer, length: str) -> None:
    """Where the body ends must be known."""
    connection = http.client.HTTPConnection("127.0.0.1", offline_server.port, timeout=10)
    try:
        connection.putrequest("POST", "/v1/chat/completions")
        connection.putheader("Content-Length", length.encode())
        connection.endheaders()
        response = connection.getresponse()

        assert response.status == 411
        assert "error" in json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/v1/completions"), ("PUT", "/v1/models")])
def test_other_addresses_are_refused(offline_server: OfflineModelServer, method: str, path: str) -> None:
    """In the same form as everything else."""
    connection = http.client.HTTPConnection("127.0.0.1", offline_server.port, timeout=10)
    try:
        connection.request(method, path, b"{}")
        response = connection.getresponse()

        assert response.status in {404, 501}
        assert json.loads(response.read())["error"]["message"]
    finally:
        connection.close()


def test_many_callers_are_served_at_once(offline_server: OfflineModelServer, open_model: OpenModel) -> None:
    """A burst of new connections is not refused."""
    models = [open_model(offline_server.base_url, "offline-user") for _ in range(32)]

    with ThreadPoolExecutor(32) as threads:
        replies = list(threads.map(lambda m: m.complete([Message("user", QUESTION)], functions=[SORT]), models))

    assert {reply.calls[0].name for reply in replies} == {"sort_words"}


def test_end_of_the_server_ends_its_threads_and_port(open_model: OpenModel) -> None:
    """Open connections do not hold it, and nothing answers afterwards."""
    before = threading.active_count()
    with OfflineModelServer() as server:
        url = server.base_url
        model = open_model(url, "offline-user")
        model.complete([Message("user", QUESTION)])  # leaves a connection open

    assert threading.active_count() == before
    with pytest.raises(ModelUnavailable):
        model.complete([Message("user", QUESTION)])


def test_address_is_not_known_before_it_runs() -> None:
    """A caller who forgets `with` reads what to do."""
    with pytest.raises(RuntimeError, match="context manager"):
        _ = OfflineModelServer().base_url
