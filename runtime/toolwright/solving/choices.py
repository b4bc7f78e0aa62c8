"""What a question may be given to: tools in use, and tasks that have examples and no tool yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.registry.base import Heading, Store

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
    reference: str = ""
    """Of the tool, as `name@number`; empty for a task."""
    words: frozenset[str] = field(init=False, repr=False)
    """Of summary and sample, found once."""

    def __post_init__(self) -> None:
        """Find the words."""
        object.__setattr__(self, "words", _words(f"{self.summary} {self.sample}"))


class Choices:
    """Offers the choices. Safe to use from many threads.

    Each question asks the store what there is; what was read once is read anew only when its digest is another.
    """

    def __init__(self, store: Store) -> None:
        """Offer what is in `store`."""
        self._store = store
        self._read: Mapping[str, Choice] = {}
        """By digest. Replaced as a whole, so that no thread sees it change."""

    def offered_for(self, question: str) -> Sequence[Choice]:
        """Return what `question` may be given to, by name, at most `MAX_CHOICES`."""
        # At first there is much to read, and pages are quicker than one tool after the other.
        read = self._read or {tool.version.digest: _of_tool(tool) for tool in _newest(self._store)}
        usable = [heading for heading in self._store.headings() if heading.state in {ToolState.ACTIVE, None}]
        self._read = now = {heading.digest: read.get(heading.digest) or self._choice(heading) for heading in usable}
        choices = list(now.values())
        if len(choices) > MAX_CHOICES:
            words = _words(question)
            choices.sort(key=lambda choice: (-len(words & choice.words), choice.name))
        return sorted(choices[:MAX_CHOICES], key=lambda choice: choice.name)

    def _choice(self, heading: Heading) -> Choice:
        if heading.state is None:
            return _of_task(self._store.get_task(heading.name))
        return _of_tool(self._store.get_tool(heading.digest))


def _newest(store: Store) -> Iterator[RegisteredTool]:
    after = ""
    while page := store.list_tools(after=after, limit=_PAGE):
        yield from page
        after = page[-1].version.name


def _of_tool(tool: RegisteredTool) -> Choice:
    version = tool.version
    sample = version.demonstrations[0].question if version.demonstrations else ""
    return Choice(version.name, version.description.signature, version.description.summary, sample, tool.reference)


def _of_task(task: Task) -> Choice:
    return Choice(task.name, "", task.description, task.training[0].question)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))
