"""The tools that an evaluation needs: made where they are missing."""

from __future__ import annotations

from toolwright.cli.command import Session
from toolwright.cli.environment import Services
from toolwright.cli.evaluation import EvalTask, TaskScore
from toolwright.cli.make import making_end
from toolwright.cli.safe_text import literal
from toolwright.domain.events import Made, MakingEvent, Rejected
from toolwright.domain.shown import shown_line
from toolwright.domain.tool import ToolInfo


def made_tool(session: Session, services: Services, item: EvalTask, there: ToolInfo | None) -> TaskScore:
    """Return the score of a task before its first question: with the tool that is there, or how making one ended."""
    name = item.task.name
    score = TaskScore(name, len(item.scored))
    if there:
        session.screen.note(literal(f"{name}: using {there.reference}"))
        score.tool = there.reference
        return score
    events: list[MakingEvent] = []
    for event in services.make(item.task):
        events.append(event)
        if isinstance(event, Rejected):
            feedback = shown_line(event.feedback, limit=600)
            session.screen.note(f"{name}: attempt {event.attempt} rejected in {event.stage.value}: {feedback}")
    end = making_end(events)
    score.making = end
    if isinstance(end, Made):
        score.tool = end.tool.reference
        session.screen.note(literal(f"{name}: made {score.tool} in {end.attempts} attempt(s)"))
    else:
        session.screen.note(literal(f"{name}: no tool was made: {end.reason}", limit=1_000), style="red")
    return score
