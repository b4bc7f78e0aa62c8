"""`toolwright call`: ExecuteTool for a registered tool, or ExecuteBatch for many calls of it."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from toolwright.cli.arguments import read_arguments
from toolwright.cli.batch import call_batch
from toolwright.cli.command import Session
from toolwright.cli.documents import execution_document
from toolwright.cli.exit import ExitStatus, status_of_outcome
from toolwright.cli.flags import in_flags
from toolwright.cli.rendering import show_execution
from toolwright.errors import InvalidInput

_NO_ARGUMENTS: Final = "{}"


def call(
    session: Session,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="name, name@version or sha256:…", show_default=False)],
    args: Annotated[
        str, typer.Option("--args", metavar="JSON", help="Keyword arguments: a JSON object, or @FILE that holds one.")
    ] = _NO_ARGUMENTS,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch",
            metavar="FILE",
            help="Many calls at once, as JSON Lines: on each the arguments, or "
            'an {"id": …, "arguments": {…}}. - reads stdin; '
            "calls from there, and from a pipe, run as they come.",
            show_default=False,
        ),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run the tool even where its result is known.")] = False,
) -> ExitStatus:
    """Call a registered tool in the sandbox, once or, with --batch, many times at once.

    Exit status: 0 all succeeded, 1 one failed, 2 no such tool or bad arguments (that call did not run; with a bad line
    in a file, none did), 3 a fault of ours.
    """
    if batch is not None:
        if args != _NO_ARGUMENTS:
            raise InvalidInput("--args", "is given as well as --batch", "one of them")
        return call_batch(session, tool, batch, no_cache=no_cache)
    arguments_json = read_arguments(args)
    try:
        with session.services() as services:
            execution = services.execute(tool, arguments_json=arguments_json, bypass_cache=no_cache)
    except InvalidInput as fault:
        raise in_flags(fault) from None
    show_execution(session.screen, execution)
    session.screen.document({"tool": tool, **execution_document(execution)})
    return status_of_outcome(execution.outcome.status)
