"""A maker with scripted models and stand-ins for tools, around one task: adding two numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from toolwright.calling.models import Models
from toolwright.calling.testing import ModelRequest, Scripted, ScriptedModel, StandIn, StandInExecutor, calls
from toolwright.domain.events import MakingEvent
from toolwright.domain.record import Attempt, Making
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.llm.prices import Price, PriceList
from toolwright.making.pipeline import Maker
from toolwright.registry.base import Store
from toolwright.registry.memory import MemoryStore


def addition(name: str, first: int = 1) -> Task:
    """Return a task of adding two numbers, by `name`; another `first` gives other examples."""

    def example(number: int) -> Example:
        a, b = first + number, 10 * number
        return Example(f"e{number}", f"What is {a} plus {b}?", str(a + b))

    shown, hidden = tuple(map(example, range(1, 4))), tuple(map(example, range(100, 102)))
    return Task(name, "Add two numbers.", shown, hidden, AnswerKind.NUMBER)


TASK = addition("add_numbers")


def block(code: str) -> str:
    """Return `code` as a maker sends it."""
    return f"```python\n{code}\n```"


GOOD = block("# good\ndef add_numbers(a: int, b: int) -> int: ...")


def crashing(a: int, b: int) -> int:
    """Never right."""
    raise IndexError(f"no {a} in the list")


def adding(function: Any = lambda a, b: a + b) -> StandIn:
    """Return a stand-in that takes two numbers."""
    return StandIn.of(function, a="integer", b="integer")


def reads_numbers(request: ModelRequest) -> Scripted:
    """A light model that reads a question rightly, and calls the function that it is shown."""
    a, b = map(int, re.findall(r"\d+", request.question)[:2])
    return calls(request.functions[0].name, {"a": a, "b": b})


@dataclass
class Bench:
    """A maker with everything around it."""

    maker: ScriptedModel
    user: ScriptedModel = field(default_factory=lambda: ScriptedModel(reads_numbers, "light"))
    store: Store = field(default_factory=MemoryStore)
    stand_ins: dict[str, StandIn] = field(default_factory=dict)
    merge: bool = True
    task: Task = TASK

    def __post_init__(self) -> None:
        self.stand_ins = {"# good": adding(), "# crashing": adding(crashing)} | self.stand_ins
        self.executor = StandInExecutor(self.stand_ins, self.store)
        prices = PriceList({"strong": Price(10.0, 20.0), "light": Price(1.0, 2.0)})
        self.models = Models(self.maker, self.user, ScriptedModel([]), prices)
        self.pipeline = Maker(
            models=self.models, executor=self.executor, store=self.store, attempts=3, merge=self.merge
        )

    def make(self, task: Task = TASK, **options: Any) -> list[MakingEvent]:
        return list(self.pipeline.make(task, **options))

    @property
    def making(self) -> Making:
        (making,) = self.store.list_makings()
        return making

    @property
    def attempts(self) -> Sequence[Attempt]:
        return self.store.list_attempts(self.making.making_id)


def bench(*replies: Scripted, **stand_ins: StandIn) -> Bench:
    """Return a bench whose maker gives `replies`."""
    marked = {f"# {mark}": stand_in for mark, stand_in in stand_ins.items()}
    return Bench(ScriptedModel(list(replies), "strong"), stand_ins=marked)
