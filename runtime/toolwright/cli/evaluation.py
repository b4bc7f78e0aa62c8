"""Scoring the loop on a file of questions: what is asked, what came back, what it adds up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from toolwright.cli.ask import End, end_of
from toolwright.cli.environment import Services
from toolwright.cli.examples import read_json_lines
from toolwright.cli.reading import within
from toolwright.cli.task_file import TRAINING_SHOWN, task_name
from toolwright.domain.answers import infer_kind, same_answer
from toolwright.domain.events import Answered, Made, NotMade
from toolwright.domain.record import TokenUse
from toolwright.domain.task import Example, Task
from toolwright.errors import InvalidInput, ToolwrightError

MAKER_LINES, HELD_OUT_LINES = 5, 5
MAX_WRONG_SHOWN = 10
MAX_FAULTS_IN_A_ROW = 5
"""After so many faults of a service one after another the rest is not worth asking."""


class TaskStatus(StrEnum):
    """How far a task came."""

    COMPLETE = "COMPLETE"
    """Every question was asked and came to an end, right or wrong."""
    NOT_MADE = "NOT_MADE"
    """No tool passed verification, so nothing was asked."""
    FAULTS = "FAULTS"
    """Some questions met a fault of ours or of a service; they count as wrong."""


@dataclass(frozen=True, slots=True)
class EvalTask:
    """A task with the questions that are scored."""

    task: Task
    scored: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one question."""

    example: Example
    right: bool
    end: End | None
    """None if a fault kept it from ending."""
    reason: str = ""


@dataclass(slots=True)
class TaskScore:
    """The result of one task."""

    name: str
    n: int
    tool: str = ""
    making: Made | NotMade | None = None
    """None if the tool was there before."""
    replies: list[Reply] = field(default_factory=list)

    @property
    def status(self) -> TaskStatus:
        """How far it came."""
        if isinstance(self.making, NotMade):
            return TaskStatus.NOT_MADE
        complete = len(self.replies) == self.n and all(reply.end for reply in self.replies)
        return TaskStatus.COMPLETE if complete else TaskStatus.FAULTS

    @property
    def correct(self) -> int:
        """Right answers."""
        return sum(reply.right for reply in self.replies)

    @property
    def executions(self) -> int:
        """Different sandboxed executions behind the answers."""
        return len({reply.end.execution_id for reply in self.replies if isinstance(reply.end, Answered)})

    @property
    def making_use(self) -> tuple[TokenUse, ...]:
        """Model use of making."""
        return self.making.token_use if self.making else ()

    @property
    def using_use(self) -> Iterator[TokenUse]:
        """Model use of answering."""
        return (use for reply in self.replies if reply.end for use in reply.end.token_use)

    def document(self) -> dict[str, Any]:
        """Return the task's part of `eval --json`."""
        ends = Counter(type(reply.end).__name__.lower() if reply.end else "fault" for reply in self.replies)
        return {
            "n": self.n,
            "correct": self.correct,
            "accuracy": self.correct / self.n if self.n else 0.0,
            "status": self.status.value,
            "tool": self.tool or None,
            "reused": self.making is None,
            "attempts": self.making.attempts if self.making else 0,
            "reason": self.making.reason if isinstance(self.making, NotMade) else None,
            "ends": {name: ends[name] for name in ("answered", "declined", "failed", "fault")},
            "executions": self.executions,
            "wrong": [_wrong(reply) for reply in self.replies if not reply.right][:MAX_WRONG_SHOWN],
        }


def read_eval_task(path: Path, *, limit: int | None) -> EvalTask:
    """Return the task of a JSON Lines file, split as in the paper.

    Lines 1 to 5 are for the maker, who sees the first three; lines 6 to 10 are held out for
    verification; the rest is scored, `limit` of them at most.

    Raises:
        InvalidInput: names the file, the line, and the limit.
    """
    examples = read_json_lines(path)
    first = MAKER_LINES + HELD_OUT_LINES
    if len(examples) <= first:
        raise InvalidInput(
            str(path),
            f"holds {len(examples)} questions",
            f"at least {first + 1}: 1 to {MAKER_LINES} for the maker, to {first} held out, the rest scored",
        )
    name = task_name(path)
    try:
        task = Task(
            name=name,
            description=f"Questions of the kind {name.replace('_', ' ')!r}.",
            training=examples[:TRAINING_SHOWN],
            held_out=examples[MAKER_LINES:first],
            answer_kind=infer_kind(examples[:first]),
        )
    except InvalidInput as fault:
        raise within(str(path), fault) from None
    scored = examples[first:]
    return EvalTask(task, scored if limit is None else scored[:limit])


def answer_all(services: Services, work: EvalTask, jobs: int, seen: Callable[[Reply], None]) -> list[Reply]:
    """Ask all scored questions of a task, `jobs` at a time, and return the replies in order.

    Raises:
        ToolwrightError: a service is at fault again and again.
    """
    patience = _Patience()
    with ThreadPoolExecutor(jobs, thread_name_prefix="ask") as pool:
        asked = [pool.submit(_ask, services, work.task, example, patience) for example in work.scored]
        try:
            for future in as_completed(asked):
                seen(future.result())
        except BaseException:  # Ctrl-C too: nothing more is to be asked
            for future in asked:
                future.cancel()
            raise
    return [future.result() for future in asked]


@dataclass(slots=True)
class _Patience:
    """Counts faults one after another, over all threads."""

    faults: list[ToolwrightError] = field(default_factory=list)

    def check(self) -> None:
        """Raise the last fault if it was one too many."""
        if len(self.faults) >= MAX_FAULTS_IN_A_ROW:
            raise self.faults[-1]


def _ask(services: Services, task: Task, example: Example, patience: _Patience) -> Reply:
    patience.check()
    try:
        end = end_of(services.solve(example.question))
    except ToolwrightError as fault:
        patience.faults.append(fault)
        return Reply(example, right=False, end=None, reason=str(fault))
    patience.faults.clear()
    if not isinstance(end, Answered):
        return Reply(example, right=False, end=end, reason=end.reason)
    return Reply(example, same_answer(task.answer_kind, example.answer, end.answer, example.question), end)


def _wrong(reply: Reply) -> dict[str, Any]:
    answered = reply.end if isinstance(reply.end, Answered) else None
    return {
        "id": reply.example.id,
        "expected": reply.example.answer,
        "answer": answered.answer if answered else None,
        "tool": answered.tool if answered else None,
        "reason": reply.reason,
    }
