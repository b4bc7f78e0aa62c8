"""Tools with their tasks, and a judge with real sandboxes; the light models read one kind of question each."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from toolwright.calling.patience import Patience
from toolwright.calling.testing import ModelRequest, Scripted, ScriptedModel, calls, says
from toolwright.domain.gates import GateName, GatePolicy, GateVerdict
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.execution.executor import SandboxExecutor
from toolwright.making.candidate import Candidate
from toolwright.making.judge import Judge, Ruled, Verified, open_case, walk
from toolwright.making.verdict import Refusal

SEED = 20_231_122
Row = tuple[Mapping[str, Any], Any]
"""The arguments that a question stands for, and the right result."""


@dataclass(frozen=True)
class Trade:
    """A tool, and the task that it is tried on: three rows for training, the others held out."""

    name: str
    code: str
    rows: Sequence[Row]
    kind: AnswerKind = AnswerKind.TEXT
    silent: Sequence[int] = ()
    """Numbers of the rows for which the light model makes no call."""
    policy: GatePolicy = field(default_factory=GatePolicy)

    @property
    def task(self) -> Task:
        examples = [
            Example(f"e{number}", question(self.name, number, arguments), str(answer))
            for number, (arguments, answer) in enumerate(self.rows)
        ]
        return Task(self.name, "", tuple(examples[:3]), tuple(examples[3:]), self.kind)

    def candidate(self) -> Candidate:
        source = _unchecked(self.code, self.name)
        return Candidate(self.task, source, ScriptedModel(self._reads, "light"), Patience.of(None, None), 1)

    def _reads(self, request: ModelRequest) -> Scripted:
        number = int(request.question.partition(":")[0].rpartition(" ")[2])
        if number in self.silent:
            return says("I would rather not.")
        return calls(self.name, dict(self.rows[number][0]))


def question(name: str, number: int, arguments: Mapping[str, Any]) -> str:
    """Return a question from which a scripted model reads the row's number, and a person the arguments."""
    return f"{name.replace('_', ' ')}, question {number}: {json.dumps(arguments)}?"


def _unchecked(code: str, function: str) -> ToolSource:
    """Return source that was not looked at, as if whoever made it had forgotten to."""
    source = object.__new__(ToolSource)
    object.__setattr__(source, "code", code)
    object.__setattr__(source, "function", function)
    return source


@dataclass(frozen=True)
class Court:
    """Judges trades in containers that belong to a tool, as on a server."""

    executor: SandboxExecutor

    def judge(self, trade: Trade, *, seed: int = SEED) -> Verified | Refusal:
        """Judge `trade` as the pipeline does."""
        steps = Judge(self.executor, verify_s=60.0, policy=trade.policy, seed=seed).judge(trade.candidate())
        end: Verified | Refusal = _end(steps)
        return end

    def judge_all(self, trades: Sequence[Trade]) -> dict[str, Verified | Refusal]:
        """Judge `trades`, two at a time."""
        with ThreadPoolExecutor(2) as bench:
            return dict(zip([trade.name for trade in trades], bench.map(self.judge, trades), strict=True))

    def all_verdicts(self, trade: Trade, *, seed: int = SEED) -> dict[GateName, GateVerdict]:
        """Lead `trade` through all gates, whatever they say."""
        case = open_case(trade.candidate(), self.executor, trade.policy, seed)
        ruled: tuple[Ruled, ...] = _end(walk(case, on=True))
        return {each.verdict.gate: each.verdict for each in ruled}


def _end(steps: Generator[Any, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
