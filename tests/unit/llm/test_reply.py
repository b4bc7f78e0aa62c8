"""The body of a chat completion, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.llm.base import FunctionCall
from toolwright.llm.reply import NoReply, RefusedReply, read_reply, shown


def body(message: object = None, **choice: Any) -> dict[str, Any]:
    """A completion with one choice."""
    return {"choices": [{"message": {"content": "x"} if message is None else message, **choice}]}


def read(value: object) -> Any:
    """Read a JSON value as a completion."""
    return read_reply(json.dumps(value).encode(), "asked")


def calls(*entries: object) -> dict[str, Any]:
    """A message with these tool calls."""
    return {"content": None, "tool_calls": list(entries)}


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        "5",
        {},
        {"prompt_tokens": None, "completion_tokens": "7"},
        {"prompt_tokens": -4, "completion_tokens": 1.5},
        {"prompt_tokens": True, "completion_tokens": False},
    ],
)
def test_usage_that_is_none_counts_as_nothing(usage: object) -> None:
    """Local servers that count no tokens can be used."""
    reply = read({**body(), "usage": usage})

    assert (reply.prompt_tokens, reply.completion_tokens) == (0, 0)


@pytest.mark.parametrize(("named", "expected"), [("other", "other"), (None, "asked"), (7, "asked"), ("", "asked")])
def test_model_is_as_the_endpoint_names_it(named: object, expected: str) -> None:
    """A reply without a model's name has the one that was asked for."""
    assert read({**body(), "model": named}).model == expected


@pytest.mark.parametrize("reason", ["length", "something_new"])
def test_text_cut_at_the_token_limit_is_passed_on(reason: str) -> None:
    """What there is may be of use; the finish reason tells."""
    reply = read(body(finish_reason=reason))

    assert (reply.text, reply.finish_reason) == ("x", reason)


def test_text_and_calls_may_come_together() -> None:
    """Prose around a call is kept."""
    entry = {"id": "1", "function": {"name": "f", "arguments": "{}"}}

    reply = read(body({"content": "I call:", "tool_calls": [entry]}))

    assert reply.text == "I call:"
    assert reply.calls == (FunctionCall("1", "f", "{}"),)


@pytest.mark.parametrize("call_id", [None, "", 3])
def test_calls_without_an_id_get_one(call_id: object) -> None:
    """Some servers leave it out; calls of a turn must differ in it."""
    entries = [{"id": call_id, "function": {"name": name, "arguments": ""}} for name in "fg"]

    assert [call.id for call in read(body(calls(*entries))).calls] == ["call_0", "call_1"]


@pytest.mark.parametrize(
    ("second", "count"),
    [('{"b": [2], "a": 1}', 1), (' {"a":1,"b":[2]}', 1), ('{"a": 1, "b": [3]}', 2), ('{"a": 1, "b": [2]', 2)],
)
def test_the_same_call_twice_is_one_call(second: str, count: int) -> None:
    """Blanks and the order of names make no other call; another value, or no JSON, does."""
    texts = ['{"a": 1, "b": [2]}', second]
    entries = [{"id": text, "function": {"name": "f", "arguments": text}} for text in texts]

    assert [call.id for call in read(body(calls(*entries))).calls] == texts[:count]


@pytest.mark.parametrize(
    ("total", "expected"),
    [(30, 20), (37, 27), (None, 20), (99, 20)],
)
def test_thought_tokens_are_part_of_the_completion(total: int | None, expected: int) -> None:
    """Where the total shows that they were counted apart they are added, else they are in the count already."""
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": 7},
    }

    assert read({**body(), "usage": usage}).completion_tokens == expected


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<think>Hm.</think>Seven.", "Seven."),
        ("\n<thinking>a\nb</thinking>\n\nSeven.", "Seven."),
        ("Hm, six and one.</think>\nSeven.", "Seven."),
        ("Write <think>x</think> like this.", "Write <think>x</think> like this."),
        ("```\n</think>\n``` is code", "```\n</think>\n``` is code"),
    ],
)
def test_what_a_model_thinks_aloud_is_dropped(content: str, text: str) -> None:
    """Only at the start, where it is no part of the reply; marks within a reply stay."""
    reply = read(body({"content": content, "reasoning_content": "Secret thought."}))

    assert reply.text == text


@pytest.mark.parametrize("message", [{"content": "<think>And then"}, {"content": None, "reasoning_content": "Hm."}])
def test_thought_alone_is_no_reply(message: dict[str, Any]) -> None:
    """A model that spent its tokens on thinking has said nothing; the limit is named."""
    with pytest.raises(NoReply, match="raise the limit"):
        read(body(message, finish_reason="length"))


@pytest.mark.parametrize(
    ("message", "choice", "quote"),
    [({"content": None, "refusal": "I will not."}, {}, "I will not."), ({}, {"finish_reason": "content_filter"}, "")],
)
def test_refusal_is_told_apart_and_was_paid_for(message: dict[str, Any], choice: dict[str, str], quote: str) -> None:
    """It is no broken reply: what the model said, and its tokens, come along."""
    usage = {"prompt_tokens": 9, "completion_tokens": 4}

    with pytest.raises(RefusedReply) as caught:
        read({**body({"content": "half a", **message}, **choice), "usage": usage})

    assert (caught.value.quote, caught.value.prompt_tokens, caught.value.completion_tokens) == (quote, 9, 4)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"choices": [None]}, "choices[0] is no JSON object"),
        ({"choices": [{}]}, "choices[0].message is no JSON object"),
        ({"choices": "x"}, "no choices"),
        (body({"content": 5}), "content is neither text nor null"),
        (body({"content": [{"type": "text", "text": "x"}]}), "content is neither text nor null"),
        (body({"content": None, "tool_calls": {}}), "tool_calls is no list"),
        (body(calls(None)), "tool_calls[0] is no JSON object"),
        (body(calls({"id": "1"})), "tool_calls[0].function is no JSON object"),
        (body(calls({"function": {"name": 1, "arguments": ""}})), "function.name is no text"),
        (body(calls({"function": {"name": "f", "arguments": {}}})), "function.arguments is no text"),
        (body({"content": None, "tool_calls": []}), "neither text nor a function call"),
    ],
)
def test_wrong_types_are_named(value: object, words: str) -> None:
    """The text says which field is not as it should be."""
    with pytest.raises(NoReply) as caught:
        read(value)

    assert words in str(caught.value)


def test_lone_surrogate_is_refused() -> None:
    """Text that cannot be stored is found here, not in the registry."""
    with pytest.raises(NoReply, match="surrogate"):
        read_reply(b'{"choices": [{"message": {"content": "\\ud800"}}]}', "asked")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "tool_calls", "function", "name", "usage", "error"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_any_json_is_read_or_refused(value: object) -> None:
    """No body of whatever form makes anything else than a reply or a refusal."""
    try:
        reply = read(value)
    except NoReply:
        return
    assert reply.text or reply.calls


@given(st.text(max_size=2000))
def test_shown_text_is_one_short_line(text: str) -> None:
    """What an endpoint sends cannot move the cursor or fill the log."""
    line = shown(text)

    assert line.isprintable()
    assert len(line) <= 301
