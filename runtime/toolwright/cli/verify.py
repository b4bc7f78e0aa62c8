"""`toolwright tools verify`: kept versions through the checks again."""

from __future__ import annotations

from typing import Annotated

import typer

from toolwright.cli.actor import this_user
from toolwright.cli.command import Session
from toolwright.cli.documents import tool_document
from toolwright.cli.environment import Services
from toolwright.cli.exit import ExitStatus
from toolwright.cli.rendering import MAX_SHOWN
from toolwright.cli.safe_text import joined, literal
from toolwright.errors import InvalidInput


def verify_tools(
    session: Session,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[TOOL…]", help="name, name@version or sha256:…", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The newest version of each tool.")] = False,
) -> ExitStatus:
    """Verify kept versions again, in the image and under the limits of today.

    One that is active and fails is held back. With --json, one document a line.

    Exit status: 0 all passed, 1 one failed, 2 no such tool, 3 a fault of ours.
    """
    if everything == bool(names):
        raise InvalidInput("--all", "and names are both given" if names else "is not given, and no name", "one of them")
    with session.asking() as services:
        references = names or [tool.reference for tool in services.list_tools()]
        passed = [_verify(session, services, reference) for reference in references]
    if not references and not session.screen.as_json:
        session.screen.say("No tools yet. `toolwright make TASK` makes one.")
    return ExitStatus.DONE if all(passed) else ExitStatus.FAILED


def _verify(session: Session, services: Services, reference: str) -> bool:
    verdict = services.verify(reference, actor=this_user())
    session.screen.line(
        {
            "verified": reference,
            "passed": verdict.passed,
            "reason": verdict.reason,
            "tool": tool_document(verdict.tool),
        }
    )
    if not session.screen.as_json:
        word, style = ("passed", "green") if verdict.passed else ("failed", "red")
        now = f" {verdict.tool.reference} is {verdict.tool.state.value}. "
        said = literal(verdict.reason, limit=MAX_SHOWN)
        session.screen.say(joined(literal(f"{reference}: "), literal(word, style=style), literal(now), said))
    return verdict.passed
