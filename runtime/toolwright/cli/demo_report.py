"""What the demonstration adds up to: the cost curve, the picture, the summary, the JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from toolwright.cli.ask import End
from toolwright.cli.cost_curve import CostCurve, merged_use
from toolwright.cli.curve_svg import curve_svg
from toolwright.cli.curve_text import curve_plot, curve_table
from toolwright.cli.demo_set import DemoTask
from toolwright.cli.documents import tool_document, use_document
from toolwright.cli.offline import NOTE
from toolwright.cli.picture import write_picture
from toolwright.cli.rendering import dollars
from toolwright.cli.screen import Screen
from toolwright.domain.events import Answered, Declined, Made, NotMade
from toolwright.domain.shown import shown
from toolwright.domain.task import Example

_POINTS = (1, 10, 100, 1_000, 10_000)

STRONG_NOTE = (
    "The strong model is asked with the three training examples before the question and replies with the bare answer; "
    "one that writes out its reasoning costs more."
)


@dataclass(frozen=True, slots=True)
class DemoAnswer:
    """One question and how it ended."""

    example: Example
    end: End
    right: bool


@dataclass(slots=True)
class TaskRun:
    """One task of the demonstration."""

    scene: DemoTask
    making: Made | NotMade
    answers: list[DemoAnswer] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DemoRun:
    """The whole demonstration."""

    runs: Sequence[TaskRun]
    declined: Sequence[tuple[str, End]]
    curve: CostCurve | None
    picture: Path
    seconds: float

    @property
    def as_it_should(self) -> bool:
        """Whether all tools were made, all answers are right, and what fits no tool was declined."""
        made = all(isinstance(run.making, Made) for run in self.runs)
        right = all(answer.right for run in self.runs for answer in run.answers)
        return made and right and all(isinstance(end, Declined) for _, end in self.declined)


def report(screen: Screen, run: DemoRun) -> None:
    """Show the costs, write the picture, sum up, and write the JSON document.

    Raises:
        InvalidInput: the picture cannot be written.
    """
    if run.curve:
        screen.say(curve_plot(run.curve))
        screen.say(curve_table(run.curve))
        write_picture(run.picture, curve_svg(run.curve, title=_title(run), note=f"{STRONG_NOTE} {NOTE}"), "--curve")
    screen.document(_document(run))
    answers = [answer for task in run.runs for answer in task.answers]
    made = [task.making for task in run.runs if isinstance(task.making, Made)]
    screen.say()
    screen.say(
        f"{len(made)} of {len(run.runs)} tools made in {sum(end.attempts for end in made)} attempts, "
        f"{sum(answer.right for answer in answers)} of {len(answers)} answers right, "
        f"{sum(isinstance(end, Declined) for _, end in run.declined)} questions declined, {run.seconds:.1f} s in all.",
        style="bold green" if run.as_it_should else "bold red",
    )
    if run.curve:
        screen.say(_saving_words(run.curve))
        screen.say(f"The curve as a picture: {shown(str(run.picture))}")
    screen.say(f"{NOTE} {STRONG_NOTE}", style="yellow")


def _title(run: DemoRun) -> str:
    made = sum(isinstance(task.making, Made) for task in run.runs)
    return f"{made} tools made once, against a strong model for each question"


def _saving_words(curve: CostCurve) -> str:
    start = (
        f"Making cost {dollars(curve.making_usd)} once; a question then costs {dollars(curve.light_usd)} with tools "
        f"and {dollars(curve.strong_usd)} with the strong model alone"
    )
    if curve.break_even is None:
        return f"{start}: at these prices tools never pay off."
    return f"{start}: tools pay off from question {curve.break_even:,} on."


def _document(run: DemoRun) -> dict[str, Any]:
    ends = chain((answer.end for task in run.runs for answer in task.answers), (end for _, end in run.declined))
    return {
        "tasks": {task.scene.task.name: _task_document(task) for task in run.runs},
        "declined": [
            {"question": question, "declined": isinstance(end, Declined), "reason": getattr(end, "reason", None)}
            for question, end in run.declined
        ],
        "cost": {
            "making": use_document(merged_use(chain.from_iterable(task.making.token_use for task in run.runs))),
            "using": use_document(merged_use(chain.from_iterable(end.token_use for end in ends))),
            **(_curve_document(run.curve) if run.curve else {}),
        },
        "picture": str(run.picture) if run.curve else None,
        "seconds": run.seconds,
        "model_note": f"{NOTE} {STRONG_NOTE}",
    }


def _curve_document(curve: CostCurve) -> dict[str, Any]:
    return {
        "making_usd": curve.making_usd,
        "light_usd": curve.light_usd,
        "strong_usd": curve.strong_usd,
        "break_even_requests": curve.break_even,
        "curve": [
            {"requests": n, "with_tools_usd": curve.light_after(n), "strong_usd": curve.strong_after(n)}
            for n in _POINTS
        ],
    }


def _task_document(task: TaskRun) -> dict[str, Any]:
    made = isinstance(task.making, Made)
    return {
        "status": "MADE" if made else "NOT_MADE",
        "attempts": task.making.attempts,
        "tool": tool_document(task.making.tool) if isinstance(task.making, Made) else None,
        "reason": task.making.reason if isinstance(task.making, NotMade) else None,
        "answers": [_answer_document(answer) for answer in task.answers],
    }


def _answer_document(answer: DemoAnswer) -> dict[str, Any]:
    end = answer.end
    return {
        "id": answer.example.id,
        "question": answer.example.question,
        "expected": answer.example.answer,
        "answer": end.answer if isinstance(end, Answered) else None,
        "right": answer.right,
        "tool": None if isinstance(end, Declined) else end.tool,
        "execution_id": end.execution_id if isinstance(end, Answered) else None,
        "reason": None if isinstance(end, Answered) else end.reason,
    }
