"""Which tool a question is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolwright.calling.patience import Patience
from toolwright.calling.quoting import shorten
from toolwright.calling.repair import repair_turn
from toolwright.errors import InvalidInput, ModelRefused
from toolwright.execution.arguments import check_arguments, parse_arguments
from toolwright.llm.base import ChatModel, FunctionSpec, Reply
from toolwright.solving import prompts
from toolwright.solving.cards import Choice

MAX_REASON_CHARS = 500
SURE = 100
"""How sure a model is taken to be that does not say."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the dispatcher chose; `choice` is None if nothing fits."""

    choice: Choice | None
    reason: str
    confidence: int = SURE
    named: str = ""
    """The choice that the model named, even where it is not sure enough of it; empty for none."""


def dispatch(
    model: ChatModel, question: str, choices: Sequence[Choice], patience: Patience, *, threshold: int = 0
) -> Decision:
    """Let `model` choose among `choices`. Without any it is not asked; one bad call is told to it.

    A choice of which the model is less sure than `threshold` (0 to 100) counts as none.

    Raises:
        ModelError: the model's endpoint failed. That the model declined is a decision for none.
        CallCancelled, DeadlineExceeded: nobody waits any more.
    """
    if not choices:
        return Decision(None, "there are no tools, and no tasks to make one for; make one first")
    chat, function = prompts.opening(question, choices), prompts.function_for(choices)
    problem = ""
    for _ in range(2):
        patience.check()
        try:
            reply = model.complete(chat, functions=[function], required=True)
        except ModelRefused as refusal:
            return Decision(None, f"the dispatcher declined: {shorten(str(refusal), MAX_REASON_CHARS)}")
        try:
            return _decision(reply, function, choices, threshold)
        except InvalidInput as fault:
            problem = str(fault)
        chat += repair_turn(reply, function.name, correction=prompts.correction(problem), nudge=prompts.nudge())
    return Decision(None, f"the dispatcher did not choose: {shorten(problem, MAX_REASON_CHARS)}")


def _decision(reply: Reply, function: FunctionSpec, choices: Sequence[Choice], threshold: int) -> Decision:
    """Return what the reply chose.

    Raises:
        InvalidInput: it is no call of the function with a name that was offered.
    """
    if len(reply.calls) != 1:
        raise InvalidInput("choose_tool", f"{len(reply.calls)} calls were made", "exactly one")
    call = reply.calls[0]
    if call.name != function.name:
        raise InvalidInput("choose_tool", f"{call.name[:64]!r} was called instead", function.name)
    check_arguments(prompts.accepted(function), call.arguments_json)
    arguments = parse_arguments(call.arguments_json)
    reason, confidence = shorten(arguments["reason"], MAX_REASON_CHARS), _confidence(arguments)
    chosen = next((choice for choice in choices if choice.name == arguments["tool"]), None)
    if chosen is not None and confidence < threshold:
        unsure = f"the dispatcher named {chosen.name}, but was only {confidence} % sure ({threshold} % count): {reason}"
        return Decision(None, shorten(unsure, MAX_REASON_CHARS), confidence, chosen.name)
    return Decision(chosen, reason, confidence, chosen.name if chosen else "")


def _confidence(arguments: Mapping[str, Any]) -> int:
    given = arguments.get("confidence", SURE)
    # Some models think in parts of 1, whatever the schema says.
    scaled = 100 * given if isinstance(given, float) and 0 < given < 1 else given
    return round(min(100.0, max(0.0, float(scaled))))
