"""All texts that a light model is sent when it calls a tool."""

from __future__ import annotations

from toolwright.calling.card import ToolCard
from toolwright.calling.quoting import QUOTING_RULE, quote, shorten
from toolwright.domain.outcome import Outcome
from toolwright.domain.task import MAX_ANSWER_BYTES, MAX_QUESTION_BYTES
from toolwright.domain.tool import Demonstration
from toolwright.llm.base import FunctionSpec, Message

MAX_FUNCTION_DESCRIPTION_CHARS = 1_000
MAX_SUMMARY_CHARS = 4_000
MAX_SIGNATURE_CHARS = 1_000
MAX_CALL_CHARS = 16_384
MAX_ERROR_CHARS = 1_000

_SYSTEM = """\
You answer questions by calling the function `{name}`. Take the arguments out of the user's question, in the form \
that the documentation and the worked examples show, and call the function {times}. Do not work out the \
answer yourself: the function does that.
{rule}

Documentation of `{name}`:
{documentation}"""

_ONCE = "exactly once"
_SEVERAL = (
    "once. Only where the question needs the function's result as an argument of a further call, call it again when "
    "you have seen the result, at most {calls} times in all; the last result is the answer"
)

_DEMONSTRATION = """\
Question:
{question}
Arguments of `{name}`:
{arguments}
Answer:
{answer}"""


def function_of(card: ToolCard) -> FunctionSpec:
    """Return the one function that the model may call.

    Its description is where the API wants the tool's own words, so they cannot be quoted there: they are
    one short line, which can pass for nothing else. The whole docstring stands quoted in `opening`.
    """
    summary = shorten(card.description.summary, MAX_FUNCTION_DESCRIPTION_CHARS)
    return FunctionSpec(name=card.name, description=summary, parameters=card.parameters)


def opening(card: ToolCard, question: str, *, calls: int = 1) -> list[Message]:
    """Return the first messages: documentation and worked examples, then the question as it is.

    `calls` is how many the model may make.
    """
    documentation = quote(card.description.signature, MAX_SIGNATURE_CHARS) + "\n"
    documentation += quote(card.description.summary, MAX_SUMMARY_CHARS)
    times = _ONCE if calls == 1 else _SEVERAL.format(calls=calls)
    parts = [_SYSTEM.format(name=card.name, times=times, rule=QUOTING_RULE, documentation=documentation)]
    if card.demonstrations:
        parts.append("Worked examples:")
        parts += [_worked(card.name, demonstration) for demonstration in card.demonstrations]
    return [Message("system", "\n\n".join(parts)), Message("user", question)]


def nudge(name: str) -> str:
    """Return what a model is told that should have called `name` and said something instead."""
    return f"You made no function call. Call `{name}` exactly once, with arguments from the user's question."


def correction(name: str, problem: str) -> str:
    """Return what a model is told whose call of `name` came to nothing."""
    return (
        f"This call gave no answer, because:\n{quote(problem, MAX_ERROR_CHARS)}\n"
        f"Call `{name}` once more with corrected arguments."
    )


def result(name: str, result_json: str) -> str:
    """Return what a model is told that may call `name` again: the result, as data and bounded."""
    return (
        f"`{name}` returned:\n{quote(result_json, MAX_CALL_CHARS)}\n"
        f"If this answers the user's question, reply with the word done. Else call `{name}` once more."
    )


def problem_of(outcome: Outcome) -> str:
    """Return why a call without a result ended so, on one line."""
    failure = outcome.failure
    if failure is None:
        return f"the call ended with {outcome.status}"
    said = shorten(f"{failure.type}: {failure.message}" if failure.message else failure.type, MAX_ERROR_CHARS)
    return f"the call ended with {outcome.status} ({said})"


def _worked(name: str, demonstration: Demonstration) -> str:
    return _DEMONSTRATION.format(
        name=name,
        question=quote(demonstration.question, MAX_QUESTION_BYTES),
        arguments=quote(demonstration.arguments_json, MAX_CALL_CHARS),
        answer=quote(demonstration.answer, MAX_ANSWER_BYTES),
    )
