"""What a question may be given to: tools in use, and tasks that have examples and no tool yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.registry.base import Store

MAX_CHOICES = 128
"""More than a dispatcher tells apart; beyond it, those that share most words with the question are offered."""
_PAGE = 100
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True, slots=True)
class Choice:
    """One tool or task that the dispatcher may choose."""

    name: str
    signature: str
    """Empty for a task."""
    summary: str
    sample: str
    """A question of its kind; empty if none is known."""
    tool: RegisteredTool | None = None
    task: Task | None = None


def choices_for(question: str, store: Store) -> Sequence[Choice]:
    """Return what `question` may be given to, by name, at most `MAX_CHOICES`."""
    tools = list(_newest(store))
    named = {tool.version.name for tool in tools}
    choices = [_of_tool(tool) for tool in tools if tool.state is ToolState.ACTIVE]
    choices += [_of_task(task) for task in store.list_tasks() if task.name not in named]
    if len(choices) > MAX_CHOICES:
        words = _words(question)
        choices.sort(key=lambda choice: (-len(words & _words(f"{choice.summary} {choice.sample}")), choice.name))
    return sorted(choices[:MAX_CHOICES], key=lambda choice: choice.name)


def _newest(store: Store) -> Iterator[RegisteredTool]:
    after = ""
    while page := store.list_tools(after=after, limit=_PAGE):
        yield from page
        after = page[-1].version.name


def _of_tool(tool: RegisteredTool) -> Choice:
    version = tool.version
    sample = version.demonstrations[0].question if version.demonstrations else ""
    return Choice(version.name, version.description.signature, version.description.summary, sample, tool=tool)


def _of_task(task: Task) -> Choice:
    return Choice(task.name, "", task.description, task.training[0].question, task=task)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
