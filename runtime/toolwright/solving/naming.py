"""What the tool of a group of questions is to be called, and what its questions have in common."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toolwright.calling.quoting import QUOTING_RULE, quote
from toolwright.domain.miss import Miss
from toolwright.domain.source import check_tool_name
from toolwright.domain.task import MAX_DESCRIPTION_CHARS
from toolwright.errors import InvalidInput, ModelError
from toolwright.execution.arguments import check_arguments, parse_arguments
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply
from toolwright.registry.terms import query_terms

FUNCTION = "name_tool"
MAX_SHOWN = 3
MAX_QUESTION_CHARS = 4_000
_NAME_CHARS = 48
_TRIES = 100
_SPEC = FunctionSpec(
    name=FUNCTION,
    description="Name the tool for questions of this kind, and describe the kind.",
    parameters={
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Two or three English words in snake_case, a verb first."},
            "description": {"type": "string", "description": "What the questions have in common, in one sentence."},
        },
        "required": ["name", "description"],
        "additionalProperties": False,
    },
)
_SYSTEM = f"""\
A Python tool is wanted that answers all questions of one kind. Some of them are shown with their answers. Call \
the function `{FUNCTION}` exactly once, with a name for the tool and a description of the kind. Both must fit all \
questions of the kind, and hold nothing of these particular ones.
{QUOTING_RULE}"""


@dataclass(frozen=True, slots=True)
class Naming:
    """A name that is free, and a description."""

    name: str
    description: str


def name_for(model: ChatModel, members: Sequence[Miss], is_free: Callable[[str], bool]) -> Naming:
    """Return a free name and a description for the tool of `members`: the model's, else one of frequent words."""
    name, description = _asked(model, members[:MAX_SHOWN])
    if not name:
        name, description = _fallback(members), description or "Questions of one kind."
    for number in range(1, _TRIES):
        candidate = name if number == 1 else f"{name}_{number}"
        if is_free(candidate):
            return Naming(candidate, description)
    return Naming(f"{name}_{members[0].group_id}", description)


def _asked(model: ChatModel, shown: Sequence[Miss]) -> tuple[str, str]:
    parts = [
        f"Question:\n{quote(miss.question, MAX_QUESTION_CHARS)}\nAnswer:\n{quote(miss.answer, MAX_QUESTION_CHARS)}"
        for miss in shown
    ]
    chat = [Message("system", _SYSTEM), Message("user", "\n\n".join(parts))]
    try:
        return _read(model.complete(chat, functions=[_SPEC], required=True))
    except (InvalidInput, ModelError):
        return "", ""  # a name is worth no second try: the fallback serves as well


def _read(reply: Reply) -> tuple[str, str]:
    """Return name and description in `reply`, each empty if it cannot be used.

    Raises:
        InvalidInput: it is no call of the function.
    """
    if not reply.calls or reply.calls[0].name != FUNCTION:
        raise InvalidInput(FUNCTION, "was not called")
    check_arguments(_SPEC.parameters, reply.calls[0].arguments_json)
    arguments = parse_arguments(reply.calls[0].arguments_json)
    name = re.sub(r"[^a-z0-9]+", "_", str(arguments["name"]).casefold()).strip("_")[:_NAME_CHARS].strip("_")
    description = " ".join(str(arguments["description"]).split())[:MAX_DESCRIPTION_CHARS]
    try:
        return check_tool_name(name), description
    except InvalidInput:
        return "", description


def _fallback(members: Sequence[Miss]) -> str:
    """Return a name of the words that most questions share, and a few digits that make it this group's own."""
    counts = Counter(term for miss in members for term in query_terms(miss.question) if term.isascii())
    words = [term for term, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:2]]
    digits = hashlib.sha256(members[0].group_id.encode()).hexdigest()[:6]
    return "_".join(["answer", *words, digits])[:_NAME_CHARS]
