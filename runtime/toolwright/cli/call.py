"""`toolwright call`: ExecuteTool for a registered tool."""

from __future__ import annotations

from typing import Annotated

import typer

from toolwright.cli.arguments import read_arguments
from toolwright.cli.command import Session
from toolwright.cli.documents import execution_document
from toolwright.cli.exit import ExitStatus, status_of_outcome
from toolwright.cli.flags import in_flags
from toolwright.cli.rendering import show_execution
from toolwright.errors import InvalidInput


def call(
    session: Session,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="name, name@version or sha256:…", show_default=False)],
    args: Annotated[
        str, typer.Option("--args", metavar="JSON", help="Keyword arguments: a JSON object, or @FILE that holds one.")
    ] = "{}",
) -> ExitStatus:
    """Call a registered tool in the sandbox.

    Exit status: 0 it succeeded, 1 it failed, 2 no such tool or bad arguments (nothing ran), 3 a fault of ours.
    """
    arguments_json = read_arguments(args)
    try:
        with session.services() as services:
            execution = services.execute(tool, arguments_json=arguments_json)
    except InvalidInput as fault:
        raise in_flags(fault) from None
    show_execution(session.screen, execution)
    session.screen.document({"tool": tool, **execution_document(execution)})
    return status_of_outcome(execution.outcome.status)
