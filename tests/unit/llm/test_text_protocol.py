"""Calls as text: what is read as one, and how a chat of calls looks to a model that knows none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.llm.base import FunctionCall, FunctionSpec, Message
from toolwright.llm.text_protocol import in_text, read_call

pytestmark = pytest.mark.unit

COUNT = FunctionSpec("count", "Counts.", {"type": "object"})
GOOD = '```json\n{"name": "count", "arguments": {"n": 7}}\n```'


@pytest.mark.parametrize("text", [GOOD, f"Sure.\n\n{GOOD}\nDone.", GOOD.replace("\n", "\r\n"), GOOD.upper().lower()])
def test_one_block_of_the_form_is_a_call(text: str) -> None:
    """What stands around it does not matter."""
    call = read_call(text)

    assert call is not None
    assert (call.name, json.loads(call.arguments_json)) == ("count", {"n": 7})


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"name": "count", "arguments": {"n": 7}}',
        GOOD + "\n" + GOOD,
        GOOD.replace("json", "python"),
        GOOD.removesuffix("```"),
        GOOD.replace('{"n": 7}', '"7"'),
        GOOD.replace('{"n": 7}', "[7]"),
        GOOD.replace('"count"', "3"),
        GOOD.replace('"name"', '"function"'),
        GOOD.replace('"name"', '"why": "x", "name"'),
        GOOD.replace("7", "NaN"),
        GOOD.replace("}}", "},}"),
        GOOD.replace('"n": 7', '"n": 7, "n": 8'),
    ],
)
def test_anything_else_is_no_call(text: str) -> None:
    """Nothing is guessed: no block, two blocks, another form, no strict JSON."""
    assert read_call(text) is None


@given(st.text(max_size=200), st.dictionaries(st.text(max_size=5), st.integers(-(10**300), 10**300), max_size=3))
def test_arguments_come_through_exactly(around: str, arguments: dict[str, int]) -> None:
    """Large integers too; text around the block never makes another call of it."""
    block = json.dumps({"name": "f", "arguments": arguments})

    call = read_call(f"{around.replace('`', '')}\n```json\n{block}\n```")

    assert call is not None
    assert json.loads(call.arguments_json) == arguments


def test_a_repair_turn_becomes_turns_of_user_and_assistant() -> None:
    """Templates of open models take one system message, at the top, then strict alternation; the form is said again."""
    chat = [
        Message("system", "Call it."),
        Message("user", "How many?"),
        Message("assistant", "", calls=(FunctionCall("c1", "count", '{"n": '),)),
        Message("tool", "n is missing", call_id="c1"),
        Message("system", "Try again."),
    ]

    plain = in_text(chat, [COUNT], required=True)

    assert [message.role for message in plain] == ["system", "user", "assistant", "user"]
    assert all(not message.calls and not message.call_id for message in plain)
    assert '"count"' in plain[2].content
    assert "n is missing" in plain[3].content
    assert "Try again." in plain[3].content
    assert "```json" in plain[3].content
