"""Function calls as text, for endpoints that take no functions: described in the prompt, called in a fenced block."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.errors import ModelRejected
from toolwright.llm.base import ChatModel, FunctionCall, FunctionSpec, Message, Reply
from toolwright.llm.features import Feature
from toolwright.llm.learned import Learned, Place

MAX_CALL_BYTES = 1024 * 1024

_RULES = JsonRules(MAX_CALL_BYTES)
_UNEXPLAINED = frozenset({400, 422, 501})
_BLOCK = re.compile(r"^```json[ \t]*\r?\n(.*?)^```[ \t]*\r?$", re.DOTALL | re.MULTILINE | re.IGNORECASE)
_FORM = '```json\n{"name": "<function>", "arguments": {<arguments>}}\n```'

_INTRODUCTION = """\
You can call functions. To call one, reply with exactly one fenced block of this form, and nothing else:
{form}
The arguments are a JSON object that fits the function's JSON Schema. {duty}

Functions:
{functions}"""
_DUTY = {
    True: "You must call one; any other reply is lost.",
    False: "Reply with plain text only where no call is needed.",
}
_REMINDER = "\n\nTo call a function, reply with exactly one block of this form:\n" + _FORM
_RESULT = "The call came to this:\n{content}"


@dataclass(frozen=True, slots=True)
class TextProtocolModel:
    """Adds to any `ChatModel`: where functions are refused, or ignored in reply after reply, calls are text."""

    base: ChatModel
    learned: Learned
    place: Place

    @property
    def name(self) -> str:
        """Model name as the endpoint knows it."""
        return self.base.name

    def complete(
        self,
        messages: Sequence[Message],
        *,
        functions: Sequence[FunctionSpec] = (),
        required: bool = False,
        task: str = "",
    ) -> Reply:
        """Send `messages` and return the reply; see `ChatModel.complete`."""
        if not functions or functions[0].as_text:
            return self.base.complete(messages, functions=functions, required=required, task=task)
        if self.learned.lacks(self.place, Feature.TOOLS):
            return self._in_text(messages, functions, required=required, task=task)
        try:
            reply = self.base.complete(messages, functions=functions, required=required, task=task)
        except ModelRejected as refused:
            return self._instead(refused, messages, functions, required=required, task=task)
        if required:
            self.learned.heed(self.place, Feature.TOOLS, followed=bool(reply.calls))
        return reply

    def _instead(
        self,
        refused: ModelRejected,
        messages: Sequence[Message],
        functions: Sequence[FunctionSpec],
        *,
        required: bool,
        task: str,
    ) -> Reply:
        """Ask in text where functions were refused, or may have been: some servers fail on them without a word why.

        One that named no reason may have stumbled over this one function, so only some in a row tell of the endpoint.
        """
        named = refused.part == Feature.TOOLS
        if not named and (refused.part or refused.status not in _UNEXPLAINED):
            raise refused
        try:
            reply = self._in_text(messages, functions, required=required, task=task)
        except ModelRejected:
            raise refused from None
        if named:
            self.learned.learn(self.place, [Feature.TOOLS])
        else:
            self.learned.heed(self.place, Feature.TOOLS, followed=False)
        return reply

    def _in_text(
        self, messages: Sequence[Message], functions: Sequence[FunctionSpec], *, required: bool, task: str
    ) -> Reply:
        reply = self.base.complete(in_text(messages, functions, required=required), task=task)
        call = read_call(reply.text)
        return reply if call is None else replace(reply, text="", calls=(call,), finish_reason="tool_calls")


def in_text(messages: Sequence[Message], functions: Sequence[FunctionSpec], *, required: bool) -> list[Message]:
    """Return the same chat for a model that takes no functions: they, their calls and results are text in it."""
    described = "\n".join(_described(function) for function in functions)
    introduction = _INTRODUCTION.format(form=_FORM, duty=_DUTY[required], functions=described)
    chat = list(_merged([Message("system", introduction), *map(_plain, messages)]))
    if any(message.role == "assistant" for message in messages):
        chat[-1] = replace(chat[-1], content=chat[-1].content + _REMINDER)
    return chat


def read_call(text: str) -> FunctionCall | None:
    """Return the call in `text`: its one ```json block, an object of `name` and `arguments` alone; else None."""
    blocks = _BLOCK.findall(text)
    if len(blocks) != 1:
        return None
    try:
        value = _RULES.parse(blocks[0])
    except JsonRefused:
        return None
    if not isinstance(value, dict) or value.keys() != {"name", "arguments"}:
        return None
    name, arguments = value["name"], value["arguments"]
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return FunctionCall("call_0", name, json.dumps(arguments, ensure_ascii=False))


def _described(function: FunctionSpec) -> str:
    shape = {"name": function.name, "description": function.description, "parameters": dict(function.parameters)}
    return json.dumps(shape, ensure_ascii=False)


def _plain(message: Message) -> Message:
    if message.role == "tool":
        return Message("user", _RESULT.format(content=message.content))
    if not message.calls:
        # What comes after the chat's beginning is the user's: many models take a system message at the top alone.
        return message
    blocks = [
        f'```json\n{{"name": {json.dumps(call.name)}, "arguments": {call.arguments_json}}}\n```'
        for call in message.calls
    ]
    return Message("assistant", "\n\n".join([message.content, *blocks]).strip())


def _merged(messages: Sequence[Message]) -> Iterator[Message]:
    """Join turns of one speaker, and give what a program says within the chat to the user.

    The templates of many open models take one system message, at the top, and then turns in strict alternation.
    """
    last: Message | None = None
    for message in messages:
        role = "user" if message.role == "system" and last is not None and last.role != "system" else message.role
        if last is not None and last.role == role:
            last = replace(last, content=f"{last.content}\n\n{message.content}")
        else:
            if last is not None:
                yield last
            last = replace(message, role=role)
    if last is not None:
        yield last
