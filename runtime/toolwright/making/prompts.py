"""All texts that a maker is sent, save the feedback of `feedback.py`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from toolwright.calling.quoting import QUOTING_RULE, quote
from toolwright.domain.task import (
    MAX_ANSWER_BYTES,
    MAX_DESCRIPTION_CHARS,
    MAX_QUESTION_BYTES,
    AnswerKind,
    Example,
    Task,
)
from toolwright.domain.tool import RegisteredTool
from toolwright.llm.base import Message
from toolwright.making.verdict import TRAINING_SHOWN

MAX_REPLY_ECHO_CHARS = 64 * 1024
MAX_TOOL_CHARS = 2_000
"""Of what a tool that may be used says of itself."""

_SYSTEM = f"""\
You write small Python tools. A light language model reads each question, takes arguments out of it and calls your \
function with them; what the function returns is the answer. The function never sees the question itself.
{QUOTING_RULE}"""

_TASK = """\
Write one Python function named `{name}` that answers all questions of the kind shown below, not only those shown.

Task: {name}
{description}
{examples}
{tools}
Rules
- The function must be named `{name}`.
- Give every parameter and the result a type annotation. Arguments and result must be JSON-able: int, float, str, \
bool, None, list, dict with str keys, Literal.
- Choose parameters that can be copied out of a question by reading alone, without working anything out.
- Write a docstring that says what the function does, and what each parameter means and looks like, with an example of \
its form.
- {result}
- Be general: the function is tried on further questions of this kind that are not shown, and on calls that are made \
up from its types. Compute the result; no tables of the examples above.
- Where arguments fit their types and make no sense (an empty list, a negative count, a name that is not there), raise \
ValueError with a reason; no other exception may leave the function.
- No parameter without use, and no difference between 3 and 3.0 or between orders of an object's keys.
- Be pure and quick: no input or output, no files, no network, no randomness, no state between calls. Prefer a direct \
method to a search over all cases: a call must end within seconds.
- Use {libraries} only.
- Reply with exactly one fenced ```python block that holds the whole code, imports included, and no usage examples."""

_TOOLS = """
Tools that your code may use. Each is tested and ready: import it by its name, as in `from tools import {first}`, and \
call it like any function of yours. The code may do without. {rule}
{listed}
"""

_EXAMPLE = "Question:\n{question}\nAnswer:\n{answer}"

_RESULT = {
    AnswerKind.CHOICE: "Return the letter of the right option, or the option's text exactly as the question has it.",
    AnswerKind.NUMBER: "Return the answer as a number.",
    AnswerKind.TEXT: "Return the answer as a string, in exactly the form of the answers shown.",
}


def opening(task: Task, tools: Sequence[RegisteredTool] = ()) -> list[Message]:
    """Return the first messages: the task, the first training examples, and the `tools` that may be used.

    Nothing held out is in them. What tools say of themselves is quoted, as hostile code wrote it. Description and
    examples are quoted too, as any caller's question without a tool may have become one.
    """
    examples = "\n\n".join(_shown(example) for example in task.training[:TRAINING_SHOWN])
    description = (
        f"Description:\n{quote(task.description, MAX_DESCRIPTION_CHARS)}\n" if task.description.strip() else ""
    )
    text = _TASK.format(
        name=task.name,
        description=description,
        examples=examples,
        result=_RESULT[task.answer_kind],
        tools=_offered(tools),
        libraries="Python's standard library and the tools above" if tools else "Python's standard library",
    )
    return [Message("system", _SYSTEM), Message("user", text)]


def next_turn(reply: str, feedback: str) -> list[Message]:
    """Return the messages to append after a refused attempt."""
    return [
        Message("assistant", reply[:MAX_REPLY_ECHO_CHARS] or "…"),
        Message("user", f"{feedback}\n\nReply with the whole corrected code in one fenced ```python block."),
    ]


def as_json(messages: Sequence[Message]) -> str:
    """Return `messages` as JSON text, for the record."""
    return json.dumps([{"role": message.role, "content": message.content} for message in messages])


def _offered(tools: Sequence[RegisteredTool]) -> str:
    if not tools:
        return ""
    listed = []
    for tool in tools:
        said = tool.version.description
        text = f"{said.signature}\n\n{said.summary}"
        listed.append(f"- `{tool.version.name}`:\n{quote(text, MAX_TOOL_CHARS)}")
    return _TOOLS.format(first=tools[0].version.name, rule=QUOTING_RULE, listed="\n".join(listed))


def _shown(example: Example) -> str:
    question, answer = quote(example.question, MAX_QUESTION_BYTES), quote(example.answer, MAX_ANSWER_BYTES)
    return _EXAMPLE.format(question=question, answer=answer)
