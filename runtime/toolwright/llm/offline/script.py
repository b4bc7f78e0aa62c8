"""What the offline models say: looked up by model name and by what stands in the prompt, never computed by a model.

Their accuracy tells about the runtime around a model, not about any model.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from toolwright.llm.offline.request import ChatRequest, Function
from toolwright.llm.offline.tasks import COMPOSED, TASKS, TaskScript

NONE = "none"
"""What a dispatcher chooses where no tool fits."""

_ABOUT = "I am the offline model: I hold scripted replies and no language model."
_EXAMPLE = re.compile(r"^\W*Question\W*:[ \t]*(.+?)\s*^\W*Answer\W*:", re.DOTALL | re.MULTILINE | re.IGNORECASE)
_NAME_TOOL = "name_tool"
_QUOTED_EXAMPLE = re.compile(r"^Question:\n((?: {4}.*\n?)+)", re.MULTILINE)
_NAMED = re.compile(r"\b(?:named|called)\s+(?:exactly\s+)?`([A-Za-z_][A-Za-z0-9_]*)`")
_TASK = re.compile(r"^\W*Task\W*:\W*([A-Za-z_][A-Za-z0-9_]*)\W*$", re.MULTILINE)
# A line of the prompt's own: what is set in by four spaces or more quotes tools and people.
_OWN_LINE = r"^(?! {4}|\t)"
_SAMPLE = re.compile(_OWN_LINE + r"[^\n:]*\bquestion\b[^\n:]*:[ \t]*", re.MULTILINE | re.IGNORECASE)
_MARKED = _OWN_LINE + r"[^\w\n]*(?:(?:tool|task|name)\b[^\w\n]*)?"


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """Text, or one function call."""

    text: str = ""
    function: str = ""
    """Empty where it is text."""
    arguments_json: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """The replies for some kinds of question."""

    tasks: Sequence[TaskScript] = (*TASKS, *COMPOSED)

    def reply(self, request: ChatRequest) -> ScriptedReply:
        """Return the reply to `request`; the same each time.

        Raises:
            KeyError: no model of that name; see `MODELS`.
        """
        return MODELS[request.model](self, request)

    def kind_of(self, question: str) -> TaskScript | None:
        """Return the script that recognises `question`."""
        return next((task for task in self.tasks if task.recognises(question)), None)


def _make(script: Script, request: ChatRequest) -> ScriptedReply:
    """Propose: the n-th reply of the kind that the example questions are of. Asked for a name, give the kind's."""
    if any(function.name == _NAME_TOOL for function in request.functions):
        return _name(script, request)
    prompt = next((turn.text for turn in request.turns if turn.role == "user"), "")
    examples = [textwrap.dedent(match.group(1).strip("\n")).strip() for match in _EXAMPLE.finditer(prompt)]
    kind = next((found for example in examples if (found := script.kind_of(example))), None)
    if kind is None:
        kinds = ", ".join(task.kind for task in script.tasks) or "none"
        return ScriptedReply(f"{_ABOUT} I cannot write a function for these examples. Kinds that I know: {kinds}.")
    attempt = sum(turn.role == "assistant" for turn in request.turns)
    # what the prompt says of the function stands after the description and the examples, which may hold the same words
    names = _NAMED.findall(prompt) or _TASK.findall(prompt)[:1] or [kind.kind]
    return ScriptedReply(kind.proposal(attempt, names[-1]))


def _name(script: Script, request: ChatRequest) -> ScriptedReply:
    """Name the kind that the example questions are of."""
    examples = [textwrap.dedent(match.group(1)).strip() for match in _QUOTED_EXAMPLE.finditer(request.question)]
    kind = next((found for example in examples if (found := script.kind_of(example))), None)
    if kind is None:
        return ScriptedReply(f"{_ABOUT} I know no name for these questions.")
    named = {"name": kind.kind, "description": f"Questions of the kind {kind.kind.replace('_', ' ')!r}."}
    return ScriptedReply(function=_NAME_TOOL, arguments_json=json.dumps(named))


def _use(script: Script, request: ChatRequest) -> ScriptedReply:
    """Read the question into arguments of the function that is offered."""
    kind = script.kind_of(request.question)
    arguments = kind.read(request.question) if kind else None
    if arguments is None:
        return ScriptedReply(f"{_ABOUT} I cannot read this question.")
    if not request.functions:
        return ScriptedReply(f"{_ABOUT} There is no function to call.")
    # with arguments that the function does not take too: to refuse them is the runtime's work
    fitting = (function for function in request.functions if arguments.keys() <= function.properties.keys())
    function = next(fitting, request.functions[0])
    return ScriptedReply(function=function.name, arguments_json=json.dumps(arguments, ensure_ascii=False))


def _dispatch(script: Script, request: ChatRequest) -> ScriptedReply:
    """Choose the entry that is documented with a sample question of the question's kind."""
    choosing = next((function for function in request.functions if _choices(function)), None)
    if choosing is None:
        return ScriptedReply(f"{_ABOUT} There is no function with a list of tools to choose from.")
    kind = script.kind_of(request.question)
    chosen, reason, confidence = NONE, "The question is of no kind that the offline model knows.", 90
    if kind is not None:
        reason = f"No tool shows a sample question of the kind {kind.kind}."
        for name, block in _blocks(request.instructions, _choices(choosing)):
            if any(kind.recognises(sample) for sample in _samples(block)):
                chosen, reason, confidence = (
                    name,
                    f"Its sample question is of the kind {kind.kind}, as this one is.",
                    95,
                )
                break
    arguments: dict[str, Any] = {"tool": chosen, "reason": reason}
    if "confidence" in choosing.properties:
        arguments["confidence"] = confidence
    return ScriptedReply(function=choosing.name, arguments_json=json.dumps(arguments, ensure_ascii=False))


def _answer(script: Script, request: ChatRequest) -> ScriptedReply:
    """Answer at once, as a strong model would that is asked each question itself."""
    kind = script.kind_of(request.question)
    answer = kind.answer(request.question) if kind else ""
    giving = next((function for function in request.functions if "answer" in function.properties), None)
    if giving is not None:
        given = dict.fromkeys(giving.properties, "") | {"answer": answer}
        return ScriptedReply(function=giving.name, arguments_json=json.dumps(given, ensure_ascii=False))
    return ScriptedReply(answer or f"{_ABOUT} I cannot answer this question.")


MODELS: dict[str, Callable[[Script, ChatRequest], ScriptedReply]] = {
    "offline-maker": _make,
    "offline-user": _use,
    "offline-dispatcher": _dispatch,
    "offline-strong": _answer,
}
"""Models by name."""


def _choices(function: Function) -> list[str]:
    tool: Any = function.properties.get("tool")
    names = tool.get("enum") if isinstance(tool, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _blocks(text: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """Cut `text` where a line first starts with one of `names`, after a list mark, quote or heading at most."""
    starts = []
    for name in names:
        heading = re.search(rf"{_MARKED}{re.escape(name)}\b", text, re.MULTILINE | re.IGNORECASE)
        if name != NONE and heading:
            starts.append((heading.start(), name))
    starts.sort()
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return [(name, text[start:end]) for (start, name), end in zip(starts, ends, strict=True)]


def _samples(block: str) -> Iterator[str]:
    """Give what may be a sample question in `block`: from "question:" to its end, and to each blank line before it."""
    for match in _SAMPLE.finditer(block):
        paragraphs = block[match.end() :].split("\n\n")
        for count in range(len(paragraphs), 0, -1):
            yield textwrap.dedent("\n\n".join(paragraphs[:count]).strip("\n")).strip()
