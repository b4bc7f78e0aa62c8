"""All texts that a dispatcher is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolwright.calling.quoting import QUOTING_RULE, quote
from toolwright.llm.base import FunctionSpec, Message
from toolwright.solving.cards import Choice

FUNCTION = "choose_tool"
NONE = "none"
MAX_SIGNATURE_CHARS = 500
MAX_SUMMARY_CHARS = 1_000
MAX_SAMPLE_CHARS = 2_000
MAX_ARGUMENTS_CHARS = 2_000

_SYSTEM = f"""\
You choose the tool that answers the user's question, by calling the function `{FUNCTION}` exactly once. A tool fits \
if the question is of the same kind as the tool's sample question: the same thing is asked about other facts. If none \
of the tools fits, choose "{NONE}": a question that shares words or names with a tool, and asks for something else, \
fits none. Say how sure you are, from 0 (a guess) to 100 (certain). Never answer the question itself.
{QUOTING_RULE}

The tools:"""


def function_for(choices: Sequence[Choice]) -> FunctionSpec:
    """Return the one function that the dispatcher may call."""
    return FunctionSpec(
        name=FUNCTION,
        description="Name the tool for the user's question, or none.",
        parameters={
            "type": "object",
            "properties": {
                "tool": {"type": "string", "enum": [*(choice.name for choice in choices), NONE]},
                "confidence": {"type": "integer", "description": "How sure you are, 0 to 100."},
                "reason": {"type": "string", "description": "Why, in one short sentence."},
            },
            "required": ["tool", "confidence", "reason"],
            "additionalProperties": False,
        },
    )


def accepted(function: FunctionSpec) -> Mapping[str, Any]:
    """Return the schema that a call is held to: models that give no confidence, or a fraction, are understood."""
    properties = {**function.parameters["properties"], "confidence": {"type": "number"}}
    return {**function.parameters, "properties": properties, "required": ["tool", "reason"]}


def opening(question: str, choices: Sequence[Choice]) -> list[Message]:
    """Return the first messages: what each tool does, then the question as it is."""
    parts = [_SYSTEM, *(_documented(choice) for choice in choices)]
    return [Message("system", "\n\n".join(parts)), Message("user", question)]


def nudge() -> str:
    """Return what a dispatcher is told that made no call."""
    return f"You made no function call. Call `{FUNCTION}` exactly once."


def correction(problem: str) -> str:
    """Return what a dispatcher is told whose call was refused."""
    return f"This call was refused:\n{quote(problem, MAX_SUMMARY_CHARS)}\nCall `{FUNCTION}` once more."


def _documented(choice: Choice) -> str:
    parts = [f"Tool: {choice.name}"]
    if choice.signature:
        parts.append(f"Signature:\n{quote(choice.signature, MAX_SIGNATURE_CHARS)}")
    if choice.summary.strip():
        parts.append(f"What it does:\n{quote(choice.summary, MAX_SUMMARY_CHARS)}")
    if choice.arguments:
        parts.append(f"Arguments:\n{quote(chr(10).join(choice.arguments), MAX_ARGUMENTS_CHARS)}")
    if choice.returns:
        parts.append(f"Returns: {choice.returns}")
    if choice.sample:
        parts.append(f"Sample question:\n{quote(choice.sample, MAX_SAMPLE_CHARS)}")
    return "\n".join(parts)
