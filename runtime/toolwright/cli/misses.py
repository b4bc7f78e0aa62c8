"""`toolwright misses`: questions that no tool fitted, and answers to them."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from toolwright.cli.command import Session
from toolwright.cli.documents import group_document, miss_document
from toolwright.cli.exit import ExitStatus
from toolwright.cli.reading import read_stdin
from toolwright.cli.rendering import dollars
from toolwright.cli.safe_text import joined, literal
from toolwright.cli.screen import Screen
from toolwright.domain.miss import GroupState, Miss, MissGroup
from toolwright.domain.shown import shown_line
from toolwright.domain.task import MAX_ANSWER_BYTES

_LINE = 100
_STYLES = {GroupState.MADE: "green", GroupState.UNMAKEABLE: "red", GroupState.MAKING: "yellow", GroupState.OPEN: ""}


def list_misses(session: Session) -> ExitStatus:
    """List the groups of questions that no tool fitted, those with most questions first."""
    with session.services(_NOTHING_MADE) as services:
        groups = sorted(services.miss_groups(), key=lambda group: (-group.asked, group.group_id))
    session.screen.document({"groups": [group_document(group) for group in groups]})
    if not session.screen.as_json:
        session.screen.say(_groups_table(groups) if groups else "No question without a tool so far.")
    return ExitStatus.DONE


def show_misses(
    session: Session,
    group: Annotated[str, typer.Argument(metavar="GROUP", help="Id of a group.", show_default=False)],
) -> ExitStatus:
    """Show the questions of a group with their answers, and what became of its tool."""
    with session.services(_NOTHING_MADE) as services:
        found, misses = services.misses(group)
    session.screen.document({**group_document(found), "questions": [miss_document(miss) for miss in misses]})
    if not session.screen.as_json:
        _show(session.screen, found, misses)
    return ExitStatus.DONE


def answer_miss(
    session: Session,
    miss: Annotated[str, typer.Argument(metavar="MISS", help="Id of a question.", show_default=False)],
    answer: Annotated[str, typer.Argument(metavar="ANSWER", help="The answer; - reads it from stdin.")],
) -> ExitStatus:
    """Answer a question that no tool fitted, in the place of an earlier answer.

    With enough answers in its group a running server makes a tool from them.
    """
    text = read_stdin("answer", limit=MAX_ANSWER_BYTES).strip() if answer == "-" else answer
    with session.services(_NOTHING_MADE) as services:
        kept, group = services.answer_miss(miss, text, actor=_who())
    session.screen.document({"question": miss_document(kept), "group": group_document(group)})
    session.screen.say(literal(f"Kept. Group {group.group_id} has {group.answered} answered questions."))
    return ExitStatus.DONE


_NOTHING_MADE = {"dispatch": {"make_tools": False}}
"""A process that ends with its answer is no place to make tools in."""


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _groups_table(groups: Sequence[MissGroup]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("group")
    for heading in ("asked", "different", "answered"):
        table.add_column(heading, justify="right")
    for heading in ("state", "tool"):
        table.add_column(heading, overflow="fold")
    for group in groups:
        counts = [str(count) for count in (group.asked, group.misses, group.answered)]
        state = literal(group.state.value, style=_STYLES[group.state])
        table.add_row(literal(group.group_id), *counts, state, literal(group.tool or group.name or "-"))
    return table


def _show(screen: Screen, group: MissGroup, misses: Sequence[Miss]) -> None:
    head = literal(f"{group.group_id}  {group.name or 'no name yet'}: ", style="bold")
    screen.say(joined(head, literal(group.state.value, style=_STYLES[group.state])))
    if group.description:
        screen.say(literal(group.description, limit=1_000))
    screen.say(
        f"{group.misses} different questions, asked {group.asked} times, {group.answered} answered; "
        f"{group.attempts} makings, {dollars(group.cost_usd)}"
    )
    if group.tool:
        screen.say(literal(f"Made: {group.tool}", style="green"))
    if group.failure:
        screen.say(literal(f"The last making came to nothing: {group.failure}", style="red", limit=2_000))
        if group.state is GroupState.UNMAKEABLE:
            screen.say(
                "If an answer below is wrong, correct it with `toolwright misses answer`; the next making takes newer "
                "examples where there are enough."
            )
    for miss in misses:
        by = f"  ({miss.answered_by})" if miss.answer else ""
        screen.say(literal(f"{miss.miss_id}  {miss.count}×  {shown_line(miss.question, limit=_LINE)}"))
        screen.say(literal(f"    → {shown_line(miss.answer or 'no answer', limit=_LINE)}{by}", style="dim"))
