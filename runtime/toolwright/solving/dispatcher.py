"""Which tool a question is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolwright.calling.patience import Patience
from toolwright.calling.quoting import shorten
from toolwright.calling.repair import repair_turn
from toolwright.errors import InvalidInput, ModelRefused
from toolwright.execution.arguments import check_arguments, parse_arguments
from toolwright.llm.base import ChatModel, FunctionSpec, Reply
from toolwright.solving import prompts
from toolwright.solving.choices import Choice

MAX_REASON_CHARS = 500


@dataclass(frozen=True, slots=True)
class Decision:
    """What the dispatcher chose; `choice` is None if nothing fits."""

    choice: Choice | None
    reason: str


def dispatch(model: ChatModel, question: str, choices: Sequence[Choice], patience: Patience) -> Decision:
    """Let `model` choose among `choices`. Without any it is not asked; one bad call is told to it.

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
            return _decision(reply, function, choices)
        except InvalidInput as fault:
            problem = str(fault)
        chat += repair_turn(reply, function.name, correction=prompts.correction(problem), nudge=prompts.nudge())
    return Decision(None, f"the dispatcher did not choose: {shorten(problem, MAX_REASON_CHARS)}")


def _decision(reply: Reply, function: FunctionSpec, choices: Sequence[Choice]) -> Decision:
    """Return what the reply chose.

    Raises:
        InvalidInput: it is no call of the function with a name that was offered.
    """
    if len(reply.calls) != 1:
        raise InvalidInput("choose_tool", f"{len(reply.calls)} calls were made", "exactly one")
    call = reply.calls[0]
    if call.name != function.name:
        raise InvalidInput("choose_tool", f"{call.name[:64]!r} was called instead", function.name)
    check_arguments(function.parameters, call.arguments_json)
    arguments = parse_arguments(call.arguments_json)
    reason = shorten(arguments["reason"], MAX_REASON_CHARS)
    chosen = next((choice for choice in choices if choice.name == arguments["tool"]), None)
    return Decision(chosen, reason)
