"""`toolwright makings`: tools being made, and that were."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.table import Table

from toolwright.cli.command import Session
from toolwright.cli.documents import making_details_document, making_document
from toolwright.cli.exit import ExitStatus
from toolwright.cli.make import followed, told_end
from toolwright.cli.rendering import MAX_SHOWN, code, dollars
from toolwright.cli.safe_text import literal
from toolwright.cli.screen import Screen
from toolwright.domain.job import Budget
from toolwright.domain.making import MakingAttempt, MakingInfo
from toolwright.domain.shown import shown_line

MakingId = Annotated[str, typer.Argument(metavar="ID", help="Id of the making.", show_default=False)]


def list_makings(
    session: Session,
    task: Annotated[str, typer.Option("--task", help="Only those of this task.", show_default="all")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those that have not ended.")] = False,
) -> ExitStatus:
    """List makings, newest first."""
    with session.services() as services:
        makings = list(services.list_makings(task=task, open_only=open_only))
    session.screen.document({"makings": [making_document(making) for making in makings]})
    if session.screen.as_json:
        return ExitStatus.DONE
    if makings:
        session.screen.say(_table(makings))
    else:
        session.screen.say("No makings. `toolwright make TASK` begins one.")
    return ExitStatus.DONE


def show_making(session: Session, making: MakingId) -> ExitStatus:
    """Show a making: its state, its attempts with their verdicts, what it may spend and has spent."""
    with session.services() as services:
        details = services.get_making(making)
    session.screen.document(making_details_document(details))
    if not session.screen.as_json:
        _show(session.screen, details.info)
        for attempt in details.attempts:
            _show_attempt(session.screen, attempt)
    return ExitStatus.DONE


def follow_making(session: Session, making: MakingId) -> ExitStatus:
    """Show a making from its start to its end, as `make` does; one that has ended too.

    Exit status: 0 made, 1 not made, 2 no such making, 3 a fault of ours.
    """
    with session.asking() as services:
        task = services.get_making(making).info.task
        session.screen.say(literal(f"Making a tool for {task}"), style="bold")
        events = list(followed(session, services.follow_making(making)))
    return told_end(session, task, events)


def cancel_making(
    session: Session,
    making: MakingId,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with it.", show_default=False)] = "",
) -> ExitStatus:
    """End a making. One that runs ends with its exchange with a model, or its call, that is under way."""
    with session.services() as services:
        info = services.cancel_making(making, reason=reason)
    session.screen.document(making_document(info))
    if not session.screen.as_json:
        _show(session.screen, info)
    return ExitStatus.DONE


def _table(makings: list[MakingInfo]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("making", "task", "state", "since", "spent", "how it goes"):
        table.add_column(heading, overflow="fold")
    for making in makings:
        table.add_row(
            literal(making.making_id),
            literal(making.task),
            making.state.value,
            time.strftime("%Y-%m-%d %H:%M", time.localtime(making.created_at)),
            _words(making.spent),
            literal(shown_line(making.reason or making.progress, limit=80)),
        )
    return table


def _show(screen: Screen, info: MakingInfo) -> None:
    screen.say(literal(f"{info.making_id}: {info.task}, {info.state.value}"), style="bold")
    screen.say(literal(f"  may spend {_words(info.budget)}; {info.candidates} at a time"))
    screen.say(literal(f"  has spent {_words(info.spent)}"))
    if info.cancel_requested and not info.state.ended:
        screen.say("  is to end: waits for what is under way")
    elif info.owner:
        screen.say(literal(f"  worked on by {info.owner}: {shown_line(info.progress)}"))
    if info.reason:
        screen.say(literal(f"  {info.reason}", limit=MAX_SHOWN))
    if info.tool_digest:
        screen.say(literal(f"  {'is the same as' if info.merged else 'made'} {info.tool_digest}"))


def _show_attempt(screen: Screen, attempt: MakingAttempt) -> None:
    how = "kept" if attempt.accepted else f"ended in {attempt.stage.value}"
    screen.say(literal(f"attempt {attempt.number}: {how}"), style="bold")
    if attempt.code:
        screen.say(code(attempt.code))
    screen.say(literal(f"  {attempt.verdict}", limit=MAX_SHOWN))


def _words(budget: Budget) -> str:
    parts = [
        f"{budget.attempts} attempts",
        f"{budget.tokens} tokens" if budget.tokens else "",
        dollars(budget.cost_usd) if budget.cost_usd else "",
        f"{budget.seconds:.0f} s" if budget.seconds else "",
    ]
    return ", ".join(part for part in parts if part)
