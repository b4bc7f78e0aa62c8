"""`toolwright eval`: score the whole loop on files of questions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, TaskID
from rich.table import Table

from toolwright.cli.command import Session
from toolwright.cli.cost_curve import merged_use
from toolwright.cli.documents import use_document
from toolwright.cli.environment import Services
from toolwright.cli.eval_dispatch import evaluate_dispatch
from toolwright.cli.eval_made import made_tool
from toolwright.cli.eval_stream import evaluate_stream
from toolwright.cli.evaluation import EvalTask, Reply, TaskScore, TaskStatus, answer_all, read_eval_task
from toolwright.cli.exit import ExitStatus
from toolwright.cli.offline import model_note
from toolwright.cli.rendering import dollars
from toolwright.cli.safe_text import literal
from toolwright.cli.story import cost_of
from toolwright.domain.tool import ToolState
from toolwright.errors import InvalidInput

_EXITS = {
    TaskStatus.COMPLETE: ExitStatus.DONE,
    TaskStatus.NOT_MADE: ExitStatus.FAILED,
    TaskStatus.FAULTS: ExitStatus.FAULT,
}


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one evaluation."""

    scores: Sequence[TaskScore]
    making_s: float
    answering_s: float
    jobs: int

    @property
    def executions(self) -> int:
        """Sandboxed executions behind the answers."""
        return sum(score.executions for score in self.scores)

    @property
    def calls_per_second(self) -> float:
        """Answers from a sandbox by the second."""
        return self.executions / self.answering_s if self.answering_s else 0.0


def evaluate(
    session: Session,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help='JSON Lines of {"id", "question", "answer"}: one file a task.')
    ],
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=64, help="Questions in flight.")] = 4,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Score only so many questions a task.", show_default=False)
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Ask all questions mixed, with no task named in advance.")
    ] = False,
    dispatch: Annotated[bool, typer.Option("--dispatch", help="Measure the dispatcher alone.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Order of the questions with --stream or --dispatch.")] = 1,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="FILE", help="With --stream: keep the progress here, and go on from it."),
    ] = None,
) -> ExitStatus:
    """Score the loop: make the missing tools, then answer through dispatcher, function call and sandbox.

    As in the paper, lines 1-5 of a file are for the maker (3 are used), 6-10 are held out for
    verification, and the rest is scored. A task is named after its file.

    The registry is a fresh one that is thrown away afterwards, unless --state-dir or --server (or the
    settings) name one; tools that it already holds under a task's name are used as they are.

    With --stream all questions of all files are asked in a mixed order, from the same registry but with no task named
    in advance: what no tool fits the strong model answers, and tools appear when a kind has enough answers. With
    --state-dir (or --resume FILE, which also works with --server) a stream that was broken off goes on where it was.

    With --dispatch only the dispatcher is asked: how often it names the right one of all tools, and, with two kinds of
    question in four that have no tool, how often it says so; and which threshold of its confidence would be best.

    Exit status: 0 the evaluation ran to its end with all tools made, whatever the accuracy; 1 a tool
    could not be made; 2 bad input; 3 a fault of ours.
    """
    if stream and dispatch:
        raise InvalidInput("--dispatch", "is given as well as --stream", "one of them")
    if resume is not None and not stream:
        raise InvalidInput("--resume", "is for --stream", "--stream with it")
    if stream:
        return evaluate_stream(session, paths, seed=seed, jobs=jobs, limit=limit, resume=resume)
    work = [read_eval_task(path, limit=limit) for path in paths]
    _check_names(work, paths)
    if dispatch:
        return evaluate_dispatch(session, work, seed=seed, jobs=jobs)
    with session.asking(fresh_state=True) as services:
        result = _evaluated(session, services, work, jobs)
    _report(session, result)
    return max(_EXITS[score.status] for score in result.scores)


def _evaluated(session: Session, services: Services, work: Sequence[EvalTask], jobs: int) -> Result:
    there = {tool.name: tool for tool in services.list_tools() if tool.state is ToolState.ACTIVE}
    started = time.monotonic()
    scores = [made_tool(session, services, item, there.get(item.task.name)) for item in work]
    made = time.monotonic()
    with session.screen.progress() as progress:
        for item, score in zip(work, scores, strict=True):
            if score.status is TaskStatus.NOT_MADE:
                continue
            bar = progress.add_task(item.task.name, total=score.n)
            score.replies = answer_all(services, item, jobs, partial(_advance, progress, bar))
    return Result(scores, making_s=made - started, answering_s=time.monotonic() - made, jobs=jobs)


def _advance(progress: Progress, bar: TaskID, _: Reply) -> None:
    progress.advance(bar)


def _report(session: Session, result: Result) -> None:
    making = merged_use(chain.from_iterable(score.making_use for score in result.scores))
    using = merged_use(chain.from_iterable(score.using_use for score in result.scores))
    note = model_note((*making, *using))
    n, correct = sum(score.n for score in result.scores), sum(score.correct for score in result.scores)
    cost: dict[str, Any] = {
        "making_usd": cost_of(making),
        "using_usd": cost_of(using),
        "total_usd": cost_of(making) + cost_of(using),
        "making": use_document(making),
        "using": use_document(using),
    }
    session.screen.document(
        {
            "tasks": {score.name: score.document() for score in result.scores},
            "n": n,
            "correct": correct,
            "accuracy": correct / n,
            "executions": result.executions,
            "cost": cost,
            "calls_per_second": result.calls_per_second,
            "seconds": {"making": result.making_s, "answering": result.answering_s},
            "jobs": result.jobs,
            "model_note": note,
        }
    )
    session.screen.say(_table(result.scores))
    session.screen.say(
        f"{correct} of {n} right; {result.executions} sandboxed executions, {result.calls_per_second:.1f} calls/s "
        f"with {result.jobs} in flight; making {dollars(cost['making_usd'])} in {result.making_s:.1f} s, "
        f"using {dollars(cost['using_usd'])} in {result.answering_s:.1f} s"
    )
    for score in result.scores:
        for reply in [reply for reply in score.replies if not reply.right][:3]:
            session.screen.say(
                literal(f"wrong: {score.name} {reply.example.id}: {reply.reason}", limit=400), style="red"
            )
    if note:
        session.screen.say(note, style="bold yellow")


def _table(scores: Sequence[TaskScore]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("task")
    for heading in ("n", "correct", "accuracy", "attempts"):
        table.add_column(heading, justify="right")
    table.add_column("status")
    for score in scores:
        attempts = str(score.making.attempts) if score.making else "reused"
        accuracy = f"{100 * score.correct / score.n:.1f} %"
        status = literal(score.status.value, style="green" if score.status is TaskStatus.COMPLETE else "red")
        table.add_row(literal(score.name), str(score.n), str(score.correct), accuracy, attempts, status)
    return table


def _check_names(work: Sequence[EvalTask], paths: Sequence[Path]) -> None:
    first: dict[str, Path] = {}
    for item, path in zip(work, paths, strict=True):
        if (other := first.setdefault(item.task.name, path)) is not path:
            raise InvalidInput(str(path), f"has the task name of {other}", "one file a task, named after it")
