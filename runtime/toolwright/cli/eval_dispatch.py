"""`toolwright eval --dispatch`: the dispatcher alone, by the paper's protocol."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from toolwright.cli.command import Session
from toolwright.cli.environment import Services
from toolwright.cli.eval_made import made_tool
from toolwright.cli.evaluation import EvalTask, TaskScore, TaskStatus
from toolwright.cli.exit import ExitStatus
from toolwright.cli.offline import model_note
from toolwright.domain.events import Dispatched, Made
from toolwright.domain.record import TokenUse
from toolwright.domain.tool import ToolState
from toolwright.errors import InvalidInput, ServiceFault

EXISTING, SEEN, UNSEEN = 4, 2, 2
"""As in the paper: four tools exist; of four kinds of question in the test, two have none."""
FEWEST = 3
_MAX_CONFIDENCE = 100


@dataclass(frozen=True, slots=True)
class _Asked:
    task: str
    question: str
    among: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """One decision of the dispatcher."""

    task: str
    unseen: bool
    """Whether the question's kind has no tool among those offered."""
    tool: str
    """Name of the chosen tool; empty for none."""
    named: str
    """Name of what the model named, sure enough or not."""
    confidence: int

    @property
    def right(self) -> bool:
        """Whether it is the task's tool, or none where there is none."""
        return self.tool == ("" if self.unseen else self.task)

    def right_at(self, threshold: int) -> bool:
        """Return whether it would have been right with this threshold."""
        counted = self.named if self.confidence >= threshold else ""
        return counted == ("" if self.unseen else self.task)


def evaluate_dispatch(session: Session, work: Sequence[EvalTask], *, seed: int, jobs: int) -> ExitStatus:
    """Make the tools, ask the dispatcher, and report how often it was right."""
    if len(work) < FEWEST:
        raise InvalidInput(
            "PATH", f"names {len(work)} files", f"at least {FEWEST}: some kinds have to stay without a tool"
        )
    with session.asking(fresh_state=True) as services:
        there = {tool.name: tool for tool in services.list_tools() if tool.state is ToolState.ACTIVE}
        scores = [made_tool(session, services, item, there.get(item.task.name)) for item in work]
        if any(score.status is TaskStatus.NOT_MADE for score in scores):
            session.screen.document({"status": "NOT_MADE"})
            return ExitStatus.FAILED
        known = _ask(services, _with_all(work), jobs)
        new = _ask(services, _with_some(work, seed), jobs)
    _report(session, known, new, model_note(_making_use(scores)))
    return ExitStatus.DONE


def best_threshold(chosen: Sequence[Chosen]) -> tuple[int, float]:
    """Return the threshold with which most would have been right, and the rate; of several, the middle one."""
    counts = [sum(one.right_at(threshold) for one in chosen) for threshold in range(_MAX_CONFIDENCE + 1)]
    best = [threshold for threshold, count in enumerate(counts) if count == max(counts)]
    return best[len(best) // 2], max(counts) / len(chosen)


def _with_all(work: Sequence[EvalTask]) -> list[_Asked]:
    names = tuple(item.task.name for item in work)
    return [_Asked(item.task.name, example.question, names) for item in work for example in item.scored]


def _with_some(work: Sequence[EvalTask], seed: int) -> list[_Asked]:
    """Return questions for each turn of the tasks, so that each is seen and unseen in some; each turn has its share."""
    order = list(work)
    random.Random(seed).shuffle(order)  # noqa: S311 - an order that can be had again
    kinds = len(order)
    existing = min(EXISTING, max(1, 2 * kinds // 3))
    asked = []
    for turn in range(kinds):
        turned = order[turn:] + order[:turn]
        among = tuple(item.task.name for item in turned[:existing])
        for item in [*turned[: min(SEEN, existing)], *turned[existing : existing + UNSEEN]]:
            asked += [_Asked(item.task.name, example.question, among) for example in item.scored[turn::kinds]]
    return asked


def _ask(services: Services, asked: Sequence[_Asked], jobs: int) -> list[Chosen]:
    def dispatched(one: _Asked) -> Chosen:
        events = list(services.solve(one.question, among=one.among, dispatch_only=True))
        if not events or not isinstance(events[-1], Dispatched):
            raise ServiceFault(
                "The server did not end with the dispatcher's decision; use the same version on both sides"
            )
        end = events[-1]
        tool = end.tool.partition("@")[0] or end.task
        return Chosen(one.task, one.task not in one.among, tool, end.named or tool, end.confidence)

    with ThreadPoolExecutor(jobs, thread_name_prefix="dispatch") as pool:
        return list(pool.map(dispatched, asked))


def _making_use(scores: Sequence[TaskScore]) -> Iterator[TokenUse]:
    return (use for score in scores if isinstance(score.making, Made) for use in score.making.token_use)


def _rates(chosen: Sequence[Chosen]) -> dict[str, Any]:
    right = sum(one.right for one in chosen)
    return {"questions": len(chosen), "right": right, "rate": right / len(chosen) if chosen else None}


def _report(session: Session, known: Sequence[Chosen], new: Sequence[Chosen], note: str) -> None:
    threshold, rate = best_threshold([*known, *new])
    parts = {
        "right_tool": _rates(known),
        "new_tasks": _rates(new),
        "new_tasks_seen": _rates([one for one in new if not one.unseen]),
        "new_tasks_unseen": _rates([one for one in new if one.unseen]),
    }
    best = {"threshold": threshold, "rate": rate}
    session.screen.document({**parts, "best_threshold": best, "model_note": note})
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("dispatcher")
    table.add_column("questions", justify="right")
    table.add_column("right", justify="right")
    told = ("right tool of all", "tool or none, mixed", "  with a tool", "  without a tool")
    for text, part in zip(told, parts.values(), strict=True):
        table.add_row(text, str(part["questions"]), f"{100 * part['rate']:.1f} %" if part["questions"] else "-")
    session.screen.say(table)
    session.screen.say(
        f"By the recorded confidences dispatch.threshold = {threshold} would be best: {100 * rate:.1f} % right"
    )
    if note:
        session.screen.say(note, style="bold yellow")
