"""Endpoints that take less than others: found out by what they refuse, remembered, and asked in another way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from toolwright.errors import ModelContextExceeded, ModelRefused, ModelRejected
from toolwright.llm.adapting import AdaptingExchange
from toolwright.llm.base import ChatModel, FunctionSpec, Message
from toolwright.llm.chat_completions import ChatCompletions, ChatOptions
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.features import Feature
from toolwright.llm.http_exchange import HttpExchange
from toolwright.llm.learned import MISSES, Learned, Place
from toolwright.llm.shaped import ShapedModel, shape
from toolwright.llm.testing import ChatEndpoint, Respond, completion
from toolwright.llm.text_protocol import TextProtocolModel

pytestmark = pytest.mark.unit

CLOSED = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
COUNT = FunctionSpec("count", "Counts.", CLOSED)
ASK = [Message("system", "Be quick."), Message("user", "How many apples?")]
CALLED = completion(calls=[("count", '{"n": 7}')])
CALLED_IN_TEXT = completion('So:\n```json\n{"name": "count", "arguments": {"n": 7}}\n```\n')


def refusal(message: str, *, status: int = 400, **error: Any) -> Respond:
    """An error in OpenAI's form."""
    return Respond(status, {"error": {"message": message, **error}})


@pytest.fixture
def learned() -> Learned:
    """What is known of all endpoints: nothing."""
    return Learned()


@pytest.fixture
def model(chat_endpoint: ChatEndpoint, learned: Learned) -> Iterator[ChatModel]:
    """A model at the endpoint, asked as a server asks one."""
    endpoint = Endpoint(chat_endpoint.base_url, "sk-secret", max_retries=0)
    exchange = AdaptingExchange(HttpExchange(endpoint), learned, endpoint.base_url)
    options = ChatOptions(temperature=0.2, max_completion_tokens=99, reasoning_effort="low")
    place = Place(endpoint.base_url, "m")
    chat = ChatCompletions(endpoint, exchange, "m", options)
    yield ShapedModel(TextProtocolModel(chat, learned, place), learned, place)
    chat.close()


# As these servers word it.
REFUSALS: dict[str, tuple[Respond, Feature]] = {
    "extra field": (
        Respond(422, {"detail": [{"loc": ["body", "tools", 0, "function", "strict"], "msg": "Extra inputs"}]}),
        Feature.STRICT,
    ),
    "schema": (
        refusal("Invalid schema for function 'count': …", code="invalid_function_parameters", param="tools[0].…"),
        Feature.STRICT,
    ),
    "parallel": (
        refusal("Unsupported parameter: 'parallel_tool_calls' is not supported", param="parallel_tool_calls"),
        Feature.PARALLEL,
    ),
    "choice": (refusal("tool_choice 'required' is not supported", param="tool_choice"), Feature.TOOL_CHOICE),
    "temperature": (
        refusal("'temperature' does not support 0.2 with this model.", code="unsupported_value", param="temperature"),
        Feature.TEMPERATURE,
    ),
    "effort": (refusal("Unrecognized request argument supplied: reasoning_effort"), Feature.EFFORT),
    "tokens": (refusal("Unrecognized request argument supplied: max_completion_tokens"), Feature.MAX_TOKENS),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_part_is_left_out_and_remembered(
    chat_endpoint: ChatEndpoint, model: ChatModel, learned: Learned, name: str
) -> None:
    """The same request goes again without that part and nothing else; the next one has it not from the start."""
    step, feature = REFUSALS[name]
    chat_endpoint.will(step, CALLED)

    for _ in range(2):
        reply = model.complete(ASK, functions=[COUNT], required=True)
        assert reply.calls[0].arguments_json == '{"n": 7}'

    first, second, third = (received.body for received in chat_endpoint.requests)
    assert _parts(first) - _parts(second) == {feature.value}
    assert _parts(second) - _parts(first) == ({"max_tokens"} if feature is Feature.MAX_TOKENS else set())
    assert second.get("max_tokens") == (99 if feature is Feature.MAX_TOKENS else None)
    assert third == second
    assert learned.lacks(Place(chat_endpoint.base_url, "m"), feature)
    assert not learned.lacks(Place(chat_endpoint.base_url, "other"), feature)


def test_several_parts_are_found_one_by_one(chat_endpoint: ChatEndpoint, model: ChatModel) -> None:
    """A server of few words gets the plainest request that it takes."""
    chat_endpoint.will(*(REFUSALS[name][0] for name in ("parallel", "temperature", "tokens")), CALLED)

    model.complete(ASK, functions=[COUNT], required=True)

    assert _parts(chat_endpoint.requests[-1].body) == {
        "strict", "tools", "tool_choice", "reasoning_effort", "max_tokens", "model", "messages",
    }  # fmt: skip


@pytest.mark.parametrize(
    "step",
    [
        refusal("I do not like this."),
        refusal("Invalid 'messages[1].content': temperature too high for tools", param="messages[1].content"),
        refusal("bad key, temperature", status=401),
        refusal("no such thing as response_format"),
    ],
)
def test_a_refusal_of_something_else_is_told_at_once(
    chat_endpoint: ChatEndpoint, model: ChatModel, learned: Learned, step: Respond
) -> None:
    """What names no part that was sent, or the chat itself, costs no second request and teaches nothing."""
    chat_endpoint.will(step)

    with pytest.raises(ModelRejected):
        model.complete(ASK)

    assert len(chat_endpoint.requests) == 1
    assert not any(learned.lacks(Place(chat_endpoint.base_url, "m"), feature) for feature in Feature)


def test_functions_refused_without_a_reason_are_tried_in_text(
    chat_endpoint: ChatEndpoint, model: ChatModel, learned: Learned
) -> None:
    """Some servers stumble over a function without a word why. Only some in a row tell of the endpoint."""
    stumbles = refusal("Failed to initialize samplers: std::exception")
    place = Place(chat_endpoint.base_url, "m")
    chat_endpoint.will(*[stumbles, CALLED_IN_TEXT] * MISSES)

    for number in range(MISSES):
        assert not learned.lacks(place, Feature.TOOLS), number
        assert model.complete(ASK, functions=[COUNT], required=True).calls[0].arguments_json == '{"n": 7}'

    assert learned.lacks(place, Feature.TOOLS)


@pytest.mark.parametrize(("status", "requests"), [(400, 2), (401, 1), (404, 1)])
def test_what_text_does_not_help_is_told_as_it_was(
    chat_endpoint: ChatEndpoint, model: ChatModel, learned: Learned, status: int, requests: int
) -> None:
    """The first refusal counts; a key or a model's name is no matter of functions, and is not tried again."""
    chat_endpoint.will(refusal("first", status=status), refusal("second"))

    with pytest.raises(ModelRejected, match="first"):
        model.complete(ASK, functions=[COUNT], required=True)

    assert len(chat_endpoint.requests) == requests
    assert not learned.lacks(Place(chat_endpoint.base_url, "m"), Feature.TOOLS)


def test_a_part_whose_leaving_out_did_not_help_is_not_given_up(
    chat_endpoint: ChatEndpoint, model: ChatModel, learned: Learned
) -> None:
    """Only what worked is remembered."""
    chat_endpoint.will(REFUSALS["temperature"][0], refusal("still no"))

    with pytest.raises(ModelRejected, match="still no"):
        model.complete(ASK)

    assert not learned.lacks(Place(chat_endpoint.base_url, "m"), Feature.TEMPERATURE)


def test_what_was_learned_is_forgotten_after_a_while() -> None:
    """An endpoint that was set up otherwise meanwhile is asked in full again."""
    now = [0.0]
    learned, place = Learned(lifetime_s=10.0, clock=lambda: now[0]), Place("u", "m")
    learned.learn(place, [Feature.TOOLS])

    now[0] = 9.9
    assert learned.lacks(place, Feature.TOOLS)
    now[0] = 10.1
    assert not learned.lacks(place, Feature.TOOLS)


NO_TOOLS = {
    "ollama": refusal("registry.ollama.ai/library/m:latest does not support tools"),
    "router": refusal("No endpoints found that support tool use.", status=404),
    "not implemented": refusal("tools are not implemented", status=422),
}


@pytest.mark.parametrize("name", NO_TOOLS)
def test_an_endpoint_without_functions_is_asked_in_text(
    chat_endpoint: ChatEndpoint, model: ChatModel, name: str
) -> None:
    """The function stands in the prompt, the reply's block is the call, and it is known from then on."""
    chat_endpoint.will(NO_TOOLS[name], CALLED_IN_TEXT)

    for _ in range(2):
        reply = model.complete(ASK, functions=[COUNT], required=True)
        assert (reply.calls[0].name, reply.calls[0].arguments_json) == ("count", '{"n": 7}')

    assert ["tools" in received.body for received in chat_endpoint.requests] == [True, False, False]
    system, user = chat_endpoint.requests[-1].body["messages"]
    assert '"name": "count"' in system["content"]
    assert "```json" in system["content"]
    assert system["content"].endswith("Be quick.")
    assert user == {"role": "user", "content": "How many apples?"}


def test_an_endpoint_that_ignores_functions_is_asked_in_text_after_some_replies(
    chat_endpoint: ChatEndpoint, model: ChatModel
) -> None:
    """A reply of text, though a call was required, may happen; some in a row mean that it does not know calls."""
    chat_endpoint.will(completion("Seven."))
    for _ in range(MISSES):
        assert model.complete(ASK, functions=[COUNT], required=True).calls == ()
    chat_endpoint.will(CALLED_IN_TEXT)

    reply = model.complete(ASK, functions=[COUNT], required=True)

    assert reply.calls[0].name == "count"
    assert "tools" not in chat_endpoint.requests[-1].body


def test_now_and_then_text_is_no_sign(chat_endpoint: ChatEndpoint, model: ChatModel) -> None:
    """A call between two replies of text starts the count anew; text where none was required counts for nothing."""
    chat_endpoint.will(*[completion("Seven."), CALLED] * MISSES, completion("Seven."))
    for _ in range(2 * MISSES):
        model.complete(ASK, functions=[COUNT], required=True)
    for _ in range(MISSES):
        model.complete(ASK, functions=[COUNT])

    model.complete(ASK, functions=[COUNT], required=True)

    assert "tools" in chat_endpoint.requests[-1].body


def test_a_form_of_reply_is_asked_for_as_structured_output(chat_endpoint: ChatEndpoint, model: ChatModel) -> None:
    """The reply's text comes back as a call, to be checked like any other."""
    chat_endpoint.will(completion(' {"n": 7}\n'))

    reply = model.complete(ASK, functions=[shape("count", "Counts.", CLOSED)])

    body = chat_endpoint.requests[0].body
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "count", "schema": CLOSED, "strict": True},
    }
    assert "tools" not in body
    assert (reply.text, reply.calls[0].name, reply.calls[0].arguments_json) == ("", "count", '{"n": 7}')


def test_a_refused_form_becomes_a_function_and_that_text(chat_endpoint: ChatEndpoint, model: ChatModel) -> None:
    """Each endpoint is asked in the best way that it takes, down to the plainest."""
    chat_endpoint.will(refusal("response_format is not supported", param="response_format"), CALLED)
    assert model.complete(ASK, functions=[shape("count", "Counts.", CLOSED)]).calls[0].name == "count"
    assert chat_endpoint.requests[-1].body["tool_choice"] == "required"

    chat_endpoint.will(NO_TOOLS["ollama"], CALLED_IN_TEXT)
    assert model.complete(ASK, functions=[shape("count", "Counts.", CLOSED)]).calls[0].name == "count"
    assert not {"tools", "response_format"} & chat_endpoint.requests[-1].body.keys()


def test_an_ignored_form_becomes_a_function_after_some_replies(chat_endpoint: ChatEndpoint, model: ChatModel) -> None:
    """Servers that know nothing of `response_format` ignore it."""
    chat_endpoint.will(completion("Seven."))
    for _ in range(MISSES):
        assert model.complete(ASK, functions=[shape("count", "", CLOSED)]).calls[0].arguments_json == "Seven."
    chat_endpoint.will(CALLED)

    assert model.complete(ASK, functions=[shape("count", "", CLOSED)]).calls[0].arguments_json == '{"n": 7}'


@pytest.mark.parametrize(
    "step",
    [
        refusal("This model's maximum context length is 8192 tokens", code="context_length_exceeded"),
        refusal("request (9000 tokens) exceeds the available context size", type="exceed_context_size_error"),
        refusal("prompt is too long: 9000 tokens > 8192 maximum", status=413),
        refusal("Requested tokens (9000) exceed context window of 512", status=500),
    ],
)
def test_a_prompt_too_long_is_an_error_of_its_own(chat_endpoint: ChatEndpoint, model: ChatModel, step: Respond) -> None:
    """However the endpoint words it, the caller knows that a shorter prompt may do."""
    chat_endpoint.will(step)

    with pytest.raises(ModelContextExceeded, match="shorten"):
        model.complete(ASK)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (completion(None, refusal="I will not.", usage={"prompt_tokens": 5, "completion_tokens": 3}), "I will not"),
        (completion("half a", finish_reason="content_filter"), "content filter"),
        (refusal("triggered our content management policy", code="content_filter"), "content filter"),
    ],
)
def test_a_refusal_to_answer_is_an_error_of_its_own(
    chat_endpoint: ChatEndpoint, model: ChatModel, step: Respond, words: str
) -> None:
    """It is neither a broken reply nor a matter of settings, and it is not asked again."""
    chat_endpoint.will(step)

    with pytest.raises(ModelRefused, match=words):
        model.complete(ASK)

    assert len(chat_endpoint.requests) == 1


def _parts(body: Mapping[str, Any]) -> set[str]:
    strict = any("strict" in tool["function"] for tool in body.get("tools", ()))
    return {*body, *(["strict"] if strict else [])}
