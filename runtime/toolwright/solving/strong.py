"""A strong model's own answer to a question that no tool fits."""

from __future__ import annotations

from collections.abc import Sequence

from toolwright.calling.patience import Patience
from toolwright.calling.quoting import QUOTING_RULE, quote
from toolwright.domain.miss import Miss
from toolwright.domain.task import MAX_ANSWER_BYTES
from toolwright.errors import InvalidInput
from toolwright.execution.arguments import check_arguments, parse_arguments
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply

FUNCTION = "give_answer"
MAX_SHOWN = 3
MAX_SHOWN_CHARS = 2_000
"""Of an earlier question, and of its answer: enough to see their form."""
_SPEC = FunctionSpec(
    name=FUNCTION,
    description="Give the answer to the user's question.",
    parameters={
        "type": "object",
        "properties": {
            "working": {"type": "string", "description": "Work the answer out here, step by step."},
            "answer": {"type": "string", "description": "The answer alone; empty if you do not know it."},
        },
        "required": ["working", "answer"],
        "additionalProperties": False,
    },
)
_SYSTEM = f"""\
Answer the user's question by calling the function `{FUNCTION}` exactly once: work it out, then give the answer alone, \
in the form that the question asks for; of options such as "(A) text", the letter in brackets. Where earlier questions \
and answers are shown, give yours in the very same form. If you do not know the answer, or there is none, leave \
the answer empty: never guess."""
_EARLIER = f"""Earlier questions, which others asked, and their answers, for the form alone. {QUOTING_RULE}"""


def strong_answer(model: ChatModel, question: str, earlier: Sequence[Miss], patience: Patience) -> str:
    """Return the answer of `model`, empty if it has none. The form is that of `earlier` answers to like questions.

    Those are other callers' words, so they are quoted: one who asks first must not instruct what the next is answered.

    Raises:
        ModelError: the model's endpoint failed.
        CallCancelled, DeadlineExceeded: nobody waits any more.
    """
    patience.check()
    shown = [
        f"Question:\n{quote(miss.question, MAX_SHOWN_CHARS)}\nAnswer:\n{quote(miss.answer, MAX_SHOWN_CHARS)}"
        for miss in earlier[:MAX_SHOWN]
    ]
    system = "\n\n".join([_SYSTEM, _EARLIER, *shown] if shown else [_SYSTEM])
    reply = model.complete([Message("system", system), Message("user", question)], functions=[_SPEC], required=True)
    answer = _answer_in(reply).strip()
    return answer if len(answer.encode("utf-8", "surrogatepass")) <= MAX_ANSWER_BYTES else ""


def _answer_in(reply: Reply) -> str:
    if not reply.calls:
        return reply.text  # a model that calls no functions says its answer
    call = reply.calls[0]
    try:
        check_arguments(_SPEC.parameters, call.arguments_json)
    except InvalidInput:
        return ""
    return str(parse_arguments(call.arguments_json)["answer"])
