"""`toolwright tools`: what is in the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from toolwright.cli.command import Session
from toolwright.cli.documents import details_document, tool_document
from toolwright.cli.environment import ToolShown
from toolwright.cli.exit import ExitStatus
from toolwright.cli.rendering import code, json_block, tools_table
from toolwright.cli.safe_text import joined, literal
from toolwright.cli.screen import Screen


def list_tools(session: Session) -> ExitStatus:
    """List the newest version of each tool."""
    with session.services() as services:
        tools = list(services.list_tools())
    session.screen.document({"tools": [tool_document(tool) for tool in tools]})
    if session.screen.as_json:
        return ExitStatus.DONE
    if tools:
        session.screen.say(tools_table(tools))
    else:
        session.screen.say("No tools yet. `toolwright make TASK` makes one.")
    return ExitStatus.DONE


def show_tool(
    session: Session,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="name, name@version or sha256:…", show_default=False)],
) -> ExitStatus:
    """Show a tool: source, schema, demonstrations, and the verification behind it."""
    with session.services() as services:
        details = services.get_tool(tool)
    document = details_document(
        details.info,
        details.source,
        details.verification,
        dependants=details.dependants,
        synonyms=details.synonyms,
    )
    session.screen.document(document)
    if not session.screen.as_json:
        show_details(session.screen, details)
    return ExitStatus.DONE


def say_dependants(screen: Screen, dependants: Sequence[str]) -> None:
    """Tell which versions stop with this one, if any is made from it."""
    if dependants:
        screen.say(literal(f"  part of {', '.join(dependants)}: not run while this version is not active"))


def show_details(screen: Screen, details: ToolShown, *, demonstrations: int = 3) -> None:
    """Show a wrapped tool to people, with at most so many demonstrations."""
    info, record = details.info, details.verification
    screen.say(joined(literal(f"{info.reference}  ", style="bold"), literal(info.digest, style="dim")))
    for dependency in info.dependencies:
        screen.say(joined(literal(f"  made from {dependency.name}  "), literal(dependency.digest, style="dim")))
    say_dependants(screen, details.dependants)
    screen.say(code(details.source.code))
    if details.synonyms:
        screen.say(literal(f"Also known as {', '.join(details.synonyms)}"))
    screen.say("Schema of the arguments:", style="bold")
    screen.say(json_block(dict(info.parameters)))
    for demonstration in info.demonstrations[:demonstrations]:
        screen.say("Demonstration:", style="bold")
        screen.say(literal(demonstration.question, limit=2_000))
        screen.say(literal(f"  {info.name}({demonstration.arguments_json}) → {demonstration.answer}", limit=2_000))
    if record:
        held_out = sum(check.held_out for check in record.checks)
        right = sum(check.passed for check in record.checks)
        screen.say(
            literal(
                f"Verified: {right} of {len(record.checks)} examples right, {held_out} of them not seen by the maker; "
                f"image {record.image_digest[:19]}, runtime {record.runtime}"
            ),
            style="green",
        )
