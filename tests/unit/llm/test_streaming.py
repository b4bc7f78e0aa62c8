"""Streamed replies: the same as whole ones, and tried again where they break."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from toolwright.errors import ModelRejected, ModelReplyInvalid, ModelUnavailable
from toolwright.llm.base import FunctionCall, FunctionSpec, Message
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.openai_model import OpenAIModel
from toolwright.llm.streaming import BrokenStream, assemble
from toolwright.llm.testing import ChatEndpoint, Respond, Trickle, completion

pytestmark = pytest.mark.unit

ASK = [Message("user", "How many apples?")]
COUNT = FunctionSpec("count", "Counts.", {"type": "object"})


def events(*chunks: object, done: bool = True) -> str:
    """Server-sent events of these values, with a comment among them as proxies send."""
    parts = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return ": keep-alive\n\n" + "".join(parts) + ("data: [DONE]\n\n" if done else "")


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """A piece of the one choice."""
    return {"id": "x", "model": "m-1", "choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def streamed(text: str, *, missing_bytes: int = 0) -> Respond:
    """A stream as a step of the endpoint."""
    return Respond(200, text, content_type="text/event-stream", missing_bytes=missing_bytes)


USAGE = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}
TEXT = events(delta(role="assistant", content=""), delta(content="Sev"), delta(content="en."), delta("stop"), USAGE)
CALL = events(
    delta(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "count", "arguments": ""}}]),
    delta(tool_calls=[{"index": 0, "function": {"arguments": '{"n"'}}]),
    delta(tool_calls=[{"index": 0, "function": {"arguments": ": 7}"}}]),
    delta(tool_calls=[{"index": 1, "id": "c2", "function": {"name": "count", "arguments": "{}"}}]),
    delta("tool_calls"),
    USAGE,
)


@pytest.fixture
def model(chat_endpoint: ChatEndpoint) -> Iterator[OpenAIModel]:
    """A model that is asked to stream, with one further try."""
    opened = OpenAIModel(Endpoint(chat_endpoint.base_url, timeout_s=2, max_retries=1), "m", stream=True)
    yield opened
    opened.close()


def test_pieces_of_text_make_the_whole_reply(chat_endpoint: ChatEndpoint, model: OpenAIModel) -> None:
    """Text, token counts, finish reason and the model's name are those of a reply in one piece."""
    chat_endpoint.will(streamed(TEXT))

    reply = model.complete(ASK)

    assert (reply.text, reply.finish_reason, reply.model) == ("Seven.", "stop", "m-1")
    assert (reply.prompt_tokens, reply.completion_tokens) == (9, 4)
    body = chat_endpoint.requests[0].body
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_pieces_of_calls_make_whole_calls(chat_endpoint: ChatEndpoint, model: OpenAIModel) -> None:
    """Each call has all of its arguments, in the order of the calls."""
    chat_endpoint.will(streamed(CALL))

    reply = model.complete(ASK, functions=[COUNT], required=True)

    assert reply.calls == (FunctionCall("c1", "count", '{"n": 7}'), FunctionCall("c2", "count", "{}"))


def test_an_endpoint_that_does_not_stream_may_answer_whole(chat_endpoint: ChatEndpoint, model: OpenAIModel) -> None:
    """Servers that ignore `stream` are no trouble."""
    chat_endpoint.will(completion("Seven."))

    assert model.complete(ASK).text == "Seven."


BROKEN: dict[str, Respond] = {
    "cut between pieces": streamed(events(delta(content="Sev"), done=False)),
    "cut within a piece": streamed('data: {"choices": [{"del'),
    "connection lost": streamed(events(delta(content="Sev"), done=False), missing_bytes=50),
    "an error within": streamed(events(delta(content="Sev"), {"error": {"message": "overloaded"}})),
    "done before the end": streamed(events(delta(content="Sev"))),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_is_asked_for_again(chat_endpoint: ChatEndpoint, model: OpenAIModel, name: str) -> None:
    """Half a reply is none: nothing of it is kept."""
    chat_endpoint.will(BROKEN[name], streamed(TEXT))

    assert model.complete(ASK).text == "Seven."
    assert len(chat_endpoint.requests) == 2


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_always_breaks_is_unavailable(chat_endpoint: ChatEndpoint, model: OpenAIModel, name: str) -> None:
    """After all tries the caller reads where and why."""
    chat_endpoint.will(BROKEN[name])

    with pytest.raises(ModelUnavailable, match=rf"127\.0\.0\.1:{chat_endpoint.port}"):
        model.complete(ASK)

    assert len(chat_endpoint.requests) == 2


def test_a_stream_that_trickles_for_ever_ends(chat_endpoint: ChatEndpoint) -> None:
    """Signs of life do not hold the caller longer than the time-out."""
    chat_endpoint.will(Trickle(0.02))
    model = OpenAIModel(Endpoint(chat_endpoint.base_url, timeout_s=0.3, max_retries=0), "m", stream=True)

    with pytest.raises((ModelUnavailable, ModelReplyInvalid)):
        model.complete(ASK)
    model.close()


def test_refused_stream_options_are_left_out(chat_endpoint: ChatEndpoint, model: OpenAIModel) -> None:
    """Without token counts, which older servers cannot give; known from then on."""
    refused = Respond(400, {"error": {"message": "Unknown field: stream_options"}})
    chat_endpoint.will(refused, streamed(TEXT))

    for _ in range(2):
        assert model.complete(ASK).text == "Seven."

    assert ["stream_options" in one.body for one in chat_endpoint.requests] == [True, False, False]


def test_a_refused_request_is_refused_as_without_streaming(chat_endpoint: ChatEndpoint, model: OpenAIModel) -> None:
    """The endpoint's reason is told; no second try."""
    chat_endpoint.will(Respond(404, {"error": {"message": "no such model"}}))

    with pytest.raises(ModelRejected, match="no such model"):
        model.complete(ASK)

    assert len(chat_endpoint.requests) == 1


@pytest.mark.parametrize("line", ["data: 3", "data: [1]", 'data: {"choices": [{"delta": {"tool_calls": [4]}}]}'])
def test_pieces_of_another_form_are_a_broken_stream(line: str) -> None:
    """Whatever comes, there is one kind of fault."""
    with pytest.raises(BrokenStream):
        assemble([line])


def test_calls_without_numbers_are_told_apart() -> None:
    """Some servers send each call whole, without an index."""
    one, two = ({"id": n, "function": {"name": n, "arguments": "{}"}} for n in "ab")

    whole = json.loads(assemble(events(delta(tool_calls=[one]), delta("tool_calls", tool_calls=[two])).splitlines()))

    assert [call["id"] for call in whole["choices"][0]["message"]["tool_calls"]] == ["a", "b"]
