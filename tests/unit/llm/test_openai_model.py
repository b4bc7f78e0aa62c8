"""The adapter over real HTTP: what it sends, what it reads, and how it names each failure."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest

from toolwright.errors import InvalidInput, ModelRejected, ModelReplyInvalid, ModelUnavailable
from toolwright.llm.base import FunctionCall, FunctionSpec, Message
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.openai_model import MAX_FUNCTION_DESCRIPTION_CHARS, OpenAIModel
from toolwright.llm.testing import (
    RETRY_AT_ONCE,
    ChatEndpoint,
    Hang,
    Reset,
    Respond,
    Trickle,
    completion,
)

OpenModel = Callable[..., OpenAIModel]
ASK = [Message("user", "How many apples?")]
CLOSED = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def test_text_reply_is_read_with_its_usage(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """Text, token counts and the finish reason come through as sent."""
    chat_endpoint.will(completion("Seven.", usage={"prompt_tokens": 11, "completion_tokens": 3}))

    reply = open_model(chat_endpoint.base_url).complete(ASK)

    assert (reply.text, reply.calls, reply.finish_reason) == ("Seven.", (), "stop")
    assert (reply.prompt_tokens, reply.completion_tokens) == (11, 3)


def test_request_holds_only_what_was_asked_for(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """No temperature, token limit, tools or parallel_tool_calls unless set: some models refuse each of them."""
    chat_endpoint.will(completion("x"))

    open_model(chat_endpoint.base_url).complete(ASK)

    received = chat_endpoint.requests[0]
    assert received.path == "/v1/chat/completions"
    assert received.headers["authorization"] == "Bearer sk-very-secret"
    assert received.body == {
        "model": "model-under-test",
        "messages": [{"role": "user", "content": "How many apples?"}],
    }


def test_options_that_are_set_are_sent(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """Temperature 0 is a value, not an absence."""
    chat_endpoint.will(completion("x"))

    open_model(chat_endpoint.base_url, temperature=0.0, max_tokens=256).complete(ASK)

    assert chat_endpoint.requests[0].body["temperature"] == 0.0
    assert chat_endpoint.requests[0].body["max_completion_tokens"] == 256


def test_functions_are_sent_strict_where_the_schema_allows(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """A closed schema goes with `strict`, an open one without; `required` becomes the tool choice."""
    chat_endpoint.will(completion(calls=[("closed", '{"n": 1}')]))
    functions = [
        FunctionSpec("closed", "d", CLOSED),
        FunctionSpec("open", "d", {"type": "object", "properties": {}}),
        FunctionSpec("lax", "d", CLOSED, strict=False),
    ]

    reply = open_model(chat_endpoint.base_url).complete(ASK, functions=functions, required=True)

    body = chat_endpoint.requests[0].body
    assert body["tool_choice"] == "required"
    assert body["parallel_tool_calls"] is False
    assert [tool["function"].get("strict") for tool in body["tools"]] == [True, None, None]
    assert body["tools"][0]["function"]["parameters"] == CLOSED
    assert reply.calls == (FunctionCall("call_0", "closed", '{"n": 1}'),)
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")


def test_tool_choice_is_left_out_unless_required(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """A function that may be called leaves the choice to the model."""
    chat_endpoint.will(completion("x"))

    open_model(chat_endpoint.base_url).complete(ASK, functions=[FunctionSpec("f", "d", CLOSED)])

    assert "tool_choice" not in chat_endpoint.requests[0].body


def test_long_function_description_is_cut(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """A long docstring does not make the endpoint refuse the request."""
    chat_endpoint.will(completion("x"))

    open_model(chat_endpoint.base_url).complete(ASK, functions=[FunctionSpec("f", "d" * 5000, CLOSED)])

    description = chat_endpoint.requests[0].body["tools"][0]["function"]["description"]
    assert len(description) == MAX_FUNCTION_DESCRIPTION_CHARS
    assert description.endswith("d…")


def test_past_calls_and_their_results_are_sent_back(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """A repair turn shows the model its own call and what came of it."""
    chat_endpoint.will(completion("x"))
    chat = [
        *ASK,
        Message("assistant", "", calls=(FunctionCall("c1", "count", '{"n": 1}'),)),
        Message("tool", "n must be positive", call_id="c1"),
    ]

    open_model(chat_endpoint.base_url).complete(chat)

    assert chat_endpoint.requests[0].body["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "count", "arguments": '{"n": 1}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "n must be positive"},
    ]


@pytest.mark.parametrize("broken", ['{"n": ', "", "[1]", "NaN", "[" * 100_000])
def test_broken_past_arguments_are_wrapped_in_an_object(
    chat_endpoint: ChatEndpoint, open_model: OpenModel, broken: str
) -> None:
    """Servers that parse a chat's history do not refuse the repair turn for what the model wrote before."""
    chat_endpoint.will(completion("x"))

    open_model(chat_endpoint.base_url).complete(
        [*ASK, Message("assistant", "", calls=(FunctionCall("c1", "count", broken),))]
    )

    sent = chat_endpoint.requests[0].body["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(sent) == {"not_a_json_object": broken}


def test_broken_arguments_of_a_reply_are_passed_on(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """Arguments that are no JSON are no fault of the endpoint: the caller repairs them with the model."""
    chat_endpoint.will(completion(calls=[("count", '{"n": ')]))

    reply = open_model(chat_endpoint.base_url).complete(ASK)

    assert reply.calls[0].arguments_json == '{"n": '


@pytest.mark.parametrize("step", [Respond(429, headers=RETRY_AT_ONCE), Respond(500, headers=RETRY_AT_ONCE)])
def test_passing_faults_are_tried_again(chat_endpoint: ChatEndpoint, open_model: OpenModel, step: Respond) -> None:
    """A 429 or 500 that goes away costs a retry, not the request."""
    chat_endpoint.will(step, step, completion("at last"))

    reply = open_model(chat_endpoint.base_url, max_retries=2).complete(ASK)

    assert reply.text == "at last"
    assert len(chat_endpoint.requests) == 3


@pytest.mark.parametrize("step", [Reset(), Respond(200, b"{", missing_bytes=9)])
def test_broken_connections_are_tried_again(
    chat_endpoint: ChatEndpoint, open_model: OpenModel, step: Reset | Respond
) -> None:
    """A connection that breaks before or within the reply costs a retry, not the request."""
    chat_endpoint.will(step, completion("at last"))

    assert open_model(chat_endpoint.base_url, max_retries=1).complete(ASK).text == "at last"


@pytest.mark.parametrize(
    ("asked", "at_least_s", "at_most_s"),
    [
        (lambda: {"retry-after-ms": "300"}, 0.3, 3.0),
        (lambda: {"retry-after": "1"}, 1.0, 4.0),
        (lambda: {"retry-after": formatdate(time.time() + 3, usegmt=True)}, 1.9, 6.0),
        (lambda: {"retry-after": "soon"}, 0.3, 3.0),
    ],
)
def test_retry_after_is_waited_for(
    chat_endpoint: ChatEndpoint,
    open_model: OpenModel,
    asked: Callable[[], dict[str, str]],
    at_least_s: float,
    at_most_s: float,
) -> None:
    """The pause that a 429 asks for is kept: in milliseconds, in seconds, or as a date; nonsense is as none."""
    model = open_model(chat_endpoint.base_url, max_retries=1)
    start = time.monotonic()
    chat_endpoint.will(Respond(429, headers=asked()), completion("at last"))

    model.complete(ASK)

    assert at_least_s <= time.monotonic() - start < at_most_s


def test_pauses_grow(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """Without a word from the endpoint each pause is longer than the one before: 0.5 s, 1 s, …, less some chance."""
    chat_endpoint.will(Respond(503), Respond(503), completion("at last"))
    start = time.monotonic()

    open_model(chat_endpoint.base_url, max_retries=2).complete(ASK)

    assert 1.1 <= time.monotonic() - start < 5


@pytest.mark.parametrize(("status", "word"), [(429, "quota"), (500, "later"), (503, "later"), (408, "time-out")])
def test_lasting_overload_is_unavailable(
    chat_endpoint: ChatEndpoint, open_model: OpenModel, status: int, word: str
) -> None:
    """After all tries the text names model, host, status, tries, the endpoint's reason, and what to do."""
    chat_endpoint.will(Respond(status, {"error": {"message": "too busy"}}, RETRY_AT_ONCE))

    with pytest.raises(ModelUnavailable) as caught:
        open_model(chat_endpoint.base_url, max_retries=1).complete(ASK)

    text = str(caught.value)
    assert f"model 'model-under-test' at 127.0.0.1:{chat_endpoint.port} answered HTTP {status} in 2 tries" in text
    assert "too busy" in text
    assert word in text
    assert len(chat_endpoint.requests) == 2


def test_long_retry_after_is_told_not_slept(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """An endpoint that asks for an hour gets no retry, and the caller reads for how long."""
    chat_endpoint.will(Respond(429, headers={"retry-after": "3600"}))

    with pytest.raises(ModelUnavailable, match="wait for 3600 s") as caught:
        open_model(chat_endpoint.base_url, max_retries=2).complete(ASK)

    assert len(chat_endpoint.requests) == 1
    assert "tries" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "word"),
    [(400, "does not take"), (401, "API key"), (403, "key"), (404, "/v1"), (413, "too large"), (422, "does not take")],
)
def test_refusals_are_not_tried_again(
    chat_endpoint: ChatEndpoint, open_model: OpenModel, status: int, word: str
) -> None:
    """What the settings must change is said at once."""
    chat_endpoint.will(Respond(status, {"error": {"message": "not like this"}}))

    with pytest.raises(ModelRejected, match=f"HTTP {status} .not like this.") as caught:
        open_model(chat_endpoint.base_url, max_retries=3).complete(ASK)

    assert word in str(caught.value)
    assert len(chat_endpoint.requests) == 1


def test_key_is_struck_out_of_what_the_endpoint_says(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """An endpoint that echoes the key does not put it into our logs, nor a part of it where the text is cut."""
    key = "sk-" + "0123456789" * 4
    for padding in range(250, 300, 7):
        chat_endpoint.will(Respond(401, {"error": {"message": "x" * padding + key}}))
        with pytest.raises(ModelRejected) as caught:
            open_model(chat_endpoint.base_url, api_key=key).complete(ASK)
        assert "sk-" not in str(caught.value)
        assert caught.value.__suppress_context__  # a traceback does not show the SDK's own text


def test_key_is_struck_out_of_a_broken_reply(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """The same for a body that is no JSON."""
    chat_endpoint.will(Respond(200, "Your key is sk-very-secret."))

    with pytest.raises(ModelReplyInvalid) as caught:
        open_model(chat_endpoint.base_url).complete(ASK)

    assert "sk-very-secret" not in str(caught.value)
    assert "[key]" in str(caught.value)


def test_dead_endpoint_is_unavailable(open_model: OpenModel) -> None:
    """Nothing listens: the address and the cause are named."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(ModelUnavailable, match=rf"127\.0\.0\.1:{port} cannot be reached .*refused.*base URL"):
        open_model(f"http://127.0.0.1:{port}/v1").complete(ASK)


@pytest.mark.parametrize("step", [Hang(), Trickle(0.02)])
def test_slow_endpoint_is_given_up(chat_endpoint: ChatEndpoint, open_model: OpenModel, step: Hang | Trickle) -> None:
    """An endpoint that says nothing, or a byte now and then, does not hold the caller."""
    chat_endpoint.will(step)
    start = time.monotonic()

    with pytest.raises(ModelUnavailable, match=r"did not answer within 0\.2 s"):
        open_model(chat_endpoint.base_url, timeout_s=0.2).complete(ASK)

    assert time.monotonic() - start < 2


def test_endless_reply_is_cut(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """A reply of any size is not read into memory, and not asked for again."""
    chat_endpoint.will(Respond(200, b" " * (17 * 1024 * 1024)))

    with pytest.raises(ModelReplyInvalid, match="more than 16777216 bytes"):
        open_model(chat_endpoint.base_url, max_retries=2).complete(ASK)

    assert len(chat_endpoint.requests) == 1


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Respond(200, "<!DOCTYPE html><html>Sign in", content_type="text/html"), "web page.*base URL"),
        (Respond(200, b""), "no JSON"),
        (Respond(200, b'{"choices": ['), "no JSON"),
        (Respond(200, b"\xff\xfe"), "UTF-8"),
        (Respond(200, "[" * 100_000), "nested deeper"),
        (Respond(200, []), "the reply is no JSON object"),
        (Respond(200, {}), "no choices"),
        (Respond(200, {"choices": None}), "no choices"),
        (Respond(200, {"error": {"message": "upstream died"}}), "holds an error .upstream died"),
        (completion(None), "neither text nor a function call"),
        (completion(""), "neither text nor a function call"),
        (completion(None, finish_reason="length"), "token limit"),
    ],
)
def test_reply_that_is_no_completion_is_invalid(
    chat_endpoint: ChatEndpoint, open_model: OpenModel, step: Respond, words: str
) -> None:
    """Whatever the endpoint sends with status 200, the caller gets one kind of error that says what came."""
    chat_endpoint.will(step)

    with pytest.raises(ModelReplyInvalid, match=rf"127\.0\.0\.1:{chat_endpoint.port} gave no usable reply: .*{words}"):
        open_model(chat_endpoint.base_url).complete(ASK)


def test_one_model_serves_many_threads(chat_endpoint: ChatEndpoint, open_model: OpenModel) -> None:
    """Replies do not get mixed up between threads that share the client."""
    model = open_model(chat_endpoint.base_url, "offline-user")

    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda n: model.complete([Message("user", "x" * n)]), range(0, 400, 4)))

    counts = [reply.prompt_tokens for reply in replies]
    assert counts == list(range(counts[0], counts[0] + 100))


def test_proxy_of_the_environment_does_not_come_between_loopback(
    chat_endpoint: ChatEndpoint, open_model: OpenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a company's proxy the offline model still answers."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    chat_endpoint.will(completion("here"))

    assert open_model(chat_endpoint.base_url).complete(ASK).text == "here"


def test_settings_of_the_sdk_in_the_environment_do_not_move_the_endpoint(
    chat_endpoint: ChatEndpoint, open_model: OpenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no key is set, none of the environment's is sent to an address that it was not meant for."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-place")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    chat_endpoint.will(completion("here"))

    open_model(chat_endpoint.base_url, api_key="").complete(ASK)

    assert chat_endpoint.requests[0].headers["authorization"] == "Bearer no-key"


def test_model_needs_a_name() -> None:
    """An empty name is refused before any request."""
    with pytest.raises(InvalidInput, match=r"models\.name: is empty"):
        OpenAIModel(Endpoint("http://127.0.0.1:9/v1"), " ")
