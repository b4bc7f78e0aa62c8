"""The body of a chat completion, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.llm.base import FunctionCall
from toolwright.llm.reply import NoReply, read_reply, shown


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
    entry = {"id": call_id, "function": {"name": "f", "arguments": ""}}

    assert [call.id for call in read(body(calls(entry, entry))).calls] == ["call_0", "call_1"]


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
