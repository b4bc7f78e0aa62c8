"""The admitted tools that a new one may be made from: a task's references, resolved before anything is proposed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from toolwright.domain.source import SourceModule, ToolSource, check_modules
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import InvalidInput, NotFound, NotReady
from toolwright.execution.composition import Compositions
from toolwright.registry.base import Store


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What a task's code may use. The versions are fixed here: what a name comes to mean later changes nothing."""

    tools: tuple[RegisteredTool, ...] = ()
    """In the task's order."""
    modules: tuple[SourceModule, ...] = ()
    """The same with all that they are made from."""

    def added_to(self, source: ToolSource) -> ToolSource:
        """Return `source` as it will run."""
        return ToolSource(source.code, source.function, self.modules)


def gather(store: Store, task: Task) -> Ingredients:
    """Return what `task` uses, looked up in `store`.

    Raises:
        NotFound: a reference names nothing.
        NotReady: what it names, or a part of that, is not active.
        InvalidInput: a reference has no valid form, two mean tools of one name, one means the tool that is to be made,
            or they are too many, too deep or too long in all.
        StoreCorrupt: a kept tool is not what it was made from.
    """
    if not task.uses:
        return Ingredients()
    compositions = Compositions(store)
    tools, modules = [], []
    for number, reference in enumerate(task.uses):
        with _naming(number, reference):
            tool = store.get_tool(reference)
            if tool.version.name == task.name:
                raise InvalidInput("", "is of the name of the tool that is to be made", "tools of other names")
            if tool.state is not ToolState.ACTIVE:
                raise NotReady(f"{tool.reference} is {tool.state.value}; use an active version")
            tools.append(tool)
            modules.append(SourceModule(tool.version.name, tool.version.digest, compositions.source(tool)))
    check_modules(tuple(modules), "task.uses")
    return Ingredients(tuple(tools), tuple(modules))


@contextmanager
def _naming(number: int, reference: str) -> Iterator[None]:
    """Say of which reference a fault is."""
    field = f"task.uses[{number}]"
    try:
        yield
    except NotFound as fault:
        raise NotFound("tool", reference, hint=f"{field}: only admitted tools can be used") from fault
    except NotReady as fault:
        raise NotReady(f"{field} {reference!r} cannot be used: {fault}") from fault
    except InvalidInput as fault:
        raise InvalidInput(field, f"{reference!r} {fault.problem}", fault.limit) from fault
