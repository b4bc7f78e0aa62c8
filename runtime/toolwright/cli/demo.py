"""`toolwright demo`: the whole loop, offline, on real questions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from toolwright.cli.ask import End, end_of
from toolwright.cli.command import Session
from toolwright.cli.cost_curve import CostCurve, curve_of
from toolwright.cli.demo_report import DemoAnswer, DemoRun, TaskRun, report
from toolwright.cli.demo_set import DemoSet, DemoTask, load_demo_set
from toolwright.cli.environment import Services
from toolwright.cli.exit import ExitStatus
from toolwright.cli.make import making_end
from toolwright.cli.picture import check_picture
from toolwright.cli.rendering import code
from toolwright.cli.safe_text import joined, literal
from toolwright.cli.story import event_text
from toolwright.cli.tools import show_details
from toolwright.domain.answers import same_answer
from toolwright.domain.cost_report import CostQuestion
from toolwright.domain.events import Answered, Checked, Declined, Made, MakingEvent, NotMade, Proposed
from toolwright.domain.ledger import CostFilter
from toolwright.domain.shown import shown_line

PICTURE = Path("toolwright-demo-cost.svg")
_QUESTION_WIDTH = 96


@dataclass(slots=True)
class _Stage:
    """The demonstration as it runs."""

    session: Session
    services: Services
    shown: bool = field(default=False)
    """Whether one tool was shown in full; the others are told in a line each."""


def demo(
    session: Session,
    questions: Annotated[int, typer.Option("--questions", min=1, max=5, help="Questions to ask for each task.")] = 3,
    curve: Annotated[
        Path, typer.Option("--curve", metavar="PATH", help="Where to write the cost curve, an SVG.")
    ] = PICTURE,
) -> ExitStatus:
    """Show the whole loop, offline: tools are made, verified and used, one question is declined, costs are compared.

    The offline model answers, so no key and no network are needed. Its registry is a fresh one that is
    thrown away, unless --state-dir names one. Always runs in this process.

    Exit status: 0 all went as it should, 1 a tool was not made or an answer is wrong, 3 a fault of ours.
    """
    check_picture(curve, "--curve")
    started, began, scenes = time.monotonic(), time.time(), load_demo_set()
    with session.services({"models": {"offline": True}}, fresh_state=True) as services:
        stage = _Stage(session, services)
        _heading(session, "1. Making: a strong model writes each tool once; examples that it never saw decide")
        runs = [TaskRun(scene, _made(stage, scene)) for scene in scenes.tasks]
        _heading(session, "2. Using: a dispatcher chooses the tool, a light model calls it, a container runs it")
        for run in runs:
            if isinstance(run.making, Made):
                run.answers = [_answered(stage, run.scene, index) for index in range(questions)]
        declined = [_declined(stage, question) for question in scenes.no_tool]
        costs = _curve(stage, scenes, since=began)
    result = DemoRun(runs, declined, costs, curve, time.monotonic() - started)
    _heading(session, "3. What it costs")
    report(session.screen, result)
    return ExitStatus.DONE if result.as_it_should else ExitStatus.FAILED


def _made(stage: _Stage, scene: DemoTask) -> Made | NotMade:
    screen = stage.session.screen
    screen.say(joined(literal(scene.task.name, style="bold"), literal(f": {scene.task.description}")))
    events: list[MakingEvent] = []
    for event in stage.services.make(scene.task):
        events.append(event)
        if text := event_text(event, brief=True):
            screen.say(text)
    end = making_end(events)
    caught = _caught(events)
    if isinstance(end, Made) and caught and not stage.shown:
        stage.shown = True
        _show_story(stage, caught, end)
    return end


def _show_story(stage: _Stage, caught: Proposed, end: Made) -> None:
    """Show the proposal that only held-out examples caught, and the tool that was kept in its place."""
    screen = stage.session.screen
    screen.say("  ── the proposal that was caught: right on all that its maker was shown ──", style="bold yellow")
    screen.say(code(caught.code))
    screen.say("  ── the tool that was kept, wrapped for the light model ──", style="bold green")
    show_details(screen, stage.services.get_tool(end.tool.reference), demonstrations=1)
    screen.say()


def _caught(events: Sequence[MakingEvent]) -> Proposed | None:
    """Return the first proposal that failed on an example which its maker never saw."""
    proposals = {event.attempt: event for event in events if isinstance(event, Proposed)}
    failed = (event for event in events if isinstance(event, Checked) and event.held_out and not event.passed)
    return next((proposals[check.attempt] for check in failed if check.attempt in proposals), None)


def _answered(stage: _Stage, scene: DemoTask, index: int) -> DemoAnswer:
    example = scene.questions[index]
    started = time.monotonic()
    end = end_of(stage.services.solve(example.question))
    milliseconds = 1000 * (time.monotonic() - started)
    right = isinstance(end, Answered) and same_answer(
        scene.task.answer_kind, example.answer, end.answer, example.question
    )
    screen = stage.session.screen
    screen.say(literal(f"Q  {shown_line(example.question, limit=_QUESTION_WIDTH)}"))
    mark = literal("   ✓ ", style="green") if right else literal("   ✗ ", style="bold red")
    screen.say(joined(mark, event_text(end) or literal(""), literal(f"  {milliseconds:.0f} ms", style="dim")))
    return DemoAnswer(example, end, right=right)


def _declined(stage: _Stage, question: str) -> tuple[str, End]:
    end = end_of(stage.services.solve(question))
    screen = stage.session.screen
    screen.say(literal(f"Q  {shown_line(question, limit=_QUESTION_WIDTH)}"))
    mark = "   ✓ " if isinstance(end, Declined) else "   ✗ "
    screen.say(
        joined(
            literal(mark, style="green" if isinstance(end, Declined) else "bold red"), event_text(end) or literal("")
        )
    )
    return question, end


def _curve(stage: _Stage, scenes: DemoSet, *, since: float) -> CostCurve | None:
    """Return the costs of this very run, from the ledger; None if nothing was answered.

    What the strong model takes is measured beside the run: nothing here is answered by it.
    """
    strong = stage.session.environment.strong_use(
        [(scene.task.training, scene.questions[0].question) for scene in scenes.tasks]
    )
    asked = CostQuestion(within=CostFilter(since=since), baseline_usd=strong.cost_usd / strong.calls)
    return curve_of(stage.services.get_costs(asked))


def _heading(session: Session, text: str) -> None:
    session.screen.say()
    session.screen.say(text, style="bold reverse")
