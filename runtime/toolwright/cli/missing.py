"""Commands that the command line has and this version does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from toolwright.cli.command import Session
from toolwright.cli.exit import ExitStatus
from toolwright.errors import Unsupported


def not_in_this_version(name: str) -> Callable[..., ExitStatus]:
    """Return a command that says that `name` is not there yet, whatever its arguments."""

    def refuse(
        session: Session,  # noqa: ARG001 - every command has one
        arguments: Annotated[list[str] | None, typer.Argument(metavar="ARGUMENT")] = None,  # noqa: ARG001 - taken, so that no usage error hides the answer
    ) -> ExitStatus:
        """Not in this version."""
        raise Unsupported(f"`toolwright {name}` is not in this version; nothing was changed")

    return refuse
