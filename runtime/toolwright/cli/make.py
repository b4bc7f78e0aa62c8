"""`toolwright make`: from a task file to a verified, wrapped tool."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from toolwright.cli.command import Session
from toolwright.cli.documents import event_document, tool_document, use_document
from toolwright.cli.exit import ExitStatus
from toolwright.cli.offline import model_note
from toolwright.cli.rendering import code
from toolwright.cli.safe_text import literal
from toolwright.cli.story import cost_of, event_text
from toolwright.cli.task_file import read_task
from toolwright.domain.events import Made, MakingEvent, NotMade, Proposed, Started
from toolwright.domain.job import Budget
from toolwright.domain.task import Task
from toolwright.errors import ServiceFault

End = Made | NotMade


def make(
    session: Session,
    task: Annotated[
        Path, typer.Argument(metavar="TASK", help="Task file: .toml or .json with examples, or .jsonl of examples.")
    ],
    attempts: Annotated[
        int | None,
        typer.Option("--attempts", min=1, max=10, help="Proposals the maker may make.", show_default="from settings"),
    ] = None,
    candidates: Annotated[
        int | None,
        typer.Option(
            "--candidates",
            min=1,
            max=8,
            help="Proposals asked for at a time, of which the best is kept; each counts as one.",
            show_default="from settings",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Tokens it may take.", show_default="from settings")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", min=0, help="US dollars it may cost.", show_default="from settings")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", min=0, help="Seconds it may run.", show_default="from settings")
    ] = None,
    uses: Annotated[
        list[str] | None,
        typer.Option(
            "--uses", metavar="NAME[@N]", help="An admitted tool that the code may use; several times if wanted."
        ),
    ] = None,
) -> ExitStatus:
    """Make a tool from a task file: propose, verify on examples the maker never sees, wrap, keep.

    The file's fields are name, description, answer_kind (choice, number, text) and examples, a list of
    {id?, question, answer}: the first three are shown to the maker, the rest verify the tool. With --uses, or
    `uses` in the file, the code may import tools that are admitted already; they are verified with it as one.

    The making has an id: `toolwright makings follow ID` shows it again if the connection is lost, and
    `toolwright makings cancel ID` ends it.

    Exit status: 0 made, 1 no proposal passed, 2 bad task file, 3 a fault of ours.
    """
    wanted = using(read_task(task), uses or [])
    session.screen.say(literal(f"Making a tool for {wanted.name}"), style="bold")
    with session.asking() as services:
        budget = Budget(0, max_tokens or 0, max_cost or 0.0, max_seconds or 0.0)
        steps = services.make(wanted, attempts=attempts or 0, budget=budget, candidates=candidates or 0)
        events = list(followed(session, steps))
    return told_end(session, wanted.name, events)


def told_end(session: Session, task: str, events: Sequence[MakingEvent]) -> ExitStatus:
    """Write the document of a making that has ended, and return the command's exit status."""
    end = making_end(events)
    note = model_note(end.token_use)
    session.screen.document(_document(task, end, events, note))
    if note:
        session.screen.note(note)
    return ExitStatus.DONE if isinstance(end, Made) else ExitStatus.FAILED


def using(task: Task, more: Sequence[str]) -> Task:
    """Return `task` with `more` tools that its code may use, beside those that its file names."""
    return replace(task, uses=(*task.uses, *more)) if more else task


def making_end(events: Iterable[MakingEvent]) -> End:
    """Return the last event, which is how the making ended.

    Raises:
        ServiceFault: the stream ended before that.
    """
    last = next(iter(deque(events, maxlen=1)), None)
    if not isinstance(last, Made | NotMade):
        raise ServiceFault("The server ended the stream before the tool was made; see `toolwright tools list`")
    return last


def followed(session: Session, events: Iterable[MakingEvent]) -> Iterable[MakingEvent]:
    """Tell people each step as it comes, and pass it on."""
    for event in events:
        if text := event_text(event):
            session.screen.say(text)
        if isinstance(event, Proposed) and event.code:
            session.screen.say(code(event.code))
        yield event


def _document(task: str, end: End, events: Iterable[MakingEvent], note: str) -> dict[str, Any]:
    return {
        "task": task,
        "making_id": next((event.making_id for event in events if isinstance(event, Started)), ""),
        "status": "MADE" if isinstance(end, Made) else "NOT_MADE",
        "tool": tool_document(end.tool) if isinstance(end, Made) else None,
        "reason": end.reason if isinstance(end, NotMade) else None,
        "ended_by": end.ended_by if isinstance(end, NotMade) else None,
        "merged": isinstance(end, Made) and end.merged,
        "attempts": end.attempts,
        "cost": {"total_usd": cost_of(end.token_use), "token_use": use_document(end.token_use)},
        "model_note": note,
        "events": [event_document(event) for event in events],
    }
