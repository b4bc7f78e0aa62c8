"""`toolwright report`: whether an answer was right."""

from __future__ import annotations

from typing import Annotated

import typer

from toolwright.cli.actor import this_user
from toolwright.cli.command import Session
from toolwright.cli.exit import ExitStatus
from toolwright.errors import InvalidInput


def report(
    session: Session,
    execution: Annotated[
        str, typer.Argument(metavar="EXECUTION", help="Its id, as `ask --json` and `call --json` show it.")
    ],
    right: Annotated[
        bool | None, typer.Option("--right/--wrong", help="What the answer was.", show_default=False)
    ] = None,
    answer: Annotated[
        str, typer.Option("--answer", metavar="TEXT", help="The right answer; the tool can be made anew from it.")
    ] = "",
) -> ExitStatus:
    """Say whether the answer that an execution gave was right.

    Versions of which too many answers are reported as wrong are held back, and made anew from what was reported.

    Exit status: 0 kept, 2 no such execution, or something else was reported of it before, 3 a fault of ours.
    """
    if right is None:
        raise InvalidInput("--right", "is not given, and --wrong neither", "one of them")
    with session.services() as services:
        new = services.report(execution, correct=right, answer=answer, actor=this_user())
    session.screen.document({"execution_id": execution, "correct": right, "answer": answer, "recorded": new})
    if not session.screen.as_json:
        session.screen.say("Kept." if new else "The same was reported before; nothing has changed.")
    return ExitStatus.DONE
