"""What a dispatcher is told of a tool, or of a task that has examples and no tool yet."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolwright.calling.quoting import shorten
from toolwright.domain.task import AnswerKind, Task
from toolwright.domain.tool import RegisteredTool
from toolwright.registry.base import Store
from toolwright.registry.search import Hit

MAX_CARDS = 4_096
MAX_ARGUMENTS = 32
MAX_ARGUMENT_CHARS = 300
_RETURNS = {
    AnswerKind.CHOICE: "the letter of one of the question's options",
    AnswerKind.NUMBER: "a number",
    AnswerKind.TEXT: "a text",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One tool or task that the dispatcher may choose."""

    name: str
    signature: str
    """Empty for a task."""
    summary: str
    """What it does and what its arguments mean: the docstring; a task's description."""
    sample: str
    """A question of its kind; empty if none is known."""
    reference: str = ""
    """Of the tool, as `name@number`; empty for a task."""
    arguments: tuple[str, ...] = ()
    """Name, type and meaning of each argument, where the schema says so."""
    returns: str = ""

    @property
    def text(self) -> str:
        """All of it, for an embedding."""
        return "\n".join([self.name.replace("_", " "), self.summary, self.signature, self.sample])


class Cards:
    """Choices by digest, each read once, as the same digest is the same content. Safe to use from many threads."""

    def __init__(self, store: Store) -> None:
        """Read from `store`."""
        self._store = store
        self._lock = threading.Lock()
        self._cards: OrderedDict[tuple[str, int], Choice] = OrderedDict()

    def card(self, hit: Hit) -> Choice:
        """Return what the dispatcher is told of `hit`.

        Raises:
            NotFound: it is gone meanwhile.
            ToolwrightError: what the store raises.
        """
        key = hit.digest, hit.number
        with self._lock:
            if (card := self._cards.get(key)) is not None:
                self._cards.move_to_end(key)
                return card
        card = of_tool(self._store.get_tool(hit.digest)) if hit.number else of_task(self._store.get_task(hit.name))
        with self._lock:
            self._cards[key] = card
            if len(self._cards) > MAX_CARDS:
                self._cards.popitem(last=False)
        return card


def of_tool(tool: RegisteredTool) -> Choice:
    """Return what is told of a tool."""
    version = tool.version
    description = version.description
    return Choice(
        version.name,
        description.signature,
        description.summary,
        version.demonstrations[0].question if version.demonstrations else "",
        tool.reference,
        _arguments(description.parameters),
        _RETURNS[version.answer_kind],
    )


def of_task(task: Task) -> Choice:
    """Return what is told of a task without a tool."""
    return Choice(task.name, "", task.description, task.training[0].question, returns=_RETURNS[task.answer_kind])


def _arguments(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    properties = parameters.get("properties")
    if not isinstance(properties, Mapping):
        return ()
    return tuple(_argument(str(name), schema) for name, schema in list(properties.items())[:MAX_ARGUMENTS])


def _argument(name: str, schema: object) -> str:
    told = schema if isinstance(schema, Mapping) else {}
    kind, meaning = told.get("type"), told.get("description")
    parts = [f"{name} ({kind})" if isinstance(kind, str) else name]
    if isinstance(meaning, str) and meaning.strip():
        parts.append(meaning)
    return shorten(": ".join(parts), MAX_ARGUMENT_CHARS)
