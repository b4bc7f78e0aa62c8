"""`toolwright tools`: what is in the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from toolwright.cli.command import Session
from toolwright.cli.documents import details_document, tool_document
from toolwright.cli.exit import ExitStatus
from toolwright.cli.reading import read_stdin
from toolwright.cli.rendering import code, json_block, tools_table
from toolwright.cli.safe_text import joined, literal
from toolwright.cli.screen import Screen
from toolwright.client import ToolDetails
from toolwright.domain.limits import MIB, LimitsRequest
from toolwright.domain.record import VerificationRecord
from toolwright.domain.task import MAX_QUESTION_BYTES, check_question


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


def search_tools(
    session: Session,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the tool is for; - reads it from stdin.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Tools to show.")] = 5,
) -> ExitStatus:
    """Find the tools that share words with a text, best first.

    Exit status: 0 some were found, 1 none was.
    """
    query = read_stdin("query", limit=MAX_QUESTION_BYTES) if text == "-" else text
    check_question(query, "query")
    with session.services() as services:
        tools = services.search_tools(query, limit=limit)
    session.screen.document({"tools": [tool_document(tool) for tool in tools]})
    if not session.screen.as_json:
        session.screen.say(tools_table(tools) if tools else "No tool shares a word with that.")
    return ExitStatus.DONE if tools else ExitStatus.FAILED


def show_tool(
    session: Session,
    tool: Annotated[
        str, typer.Argument(metavar="TOOL", help="name, name@version, name@alias or sha256:…", show_default=False)
    ],
) -> ExitStatus:
    """Show a tool: source, schema, demonstrations, and the verification behind it."""
    with session.services() as services:
        details = services.get_tool(tool)
    session.screen.document(details_document(details))
    if not session.screen.as_json:
        show_details(session.screen, details)
    return ExitStatus.DONE


def say_dependants(screen: Screen, dependants: Sequence[str]) -> None:
    """Tell which versions stop with this one, if any is made from it."""
    if dependants:
        screen.say(literal(f"  part of {', '.join(dependants)}: not run while this version is not active"))


def show_details(screen: Screen, details: ToolDetails, *, demonstrations: int = 3) -> None:
    """Show a wrapped tool to people, with at most so many demonstrations."""
    info = details.info
    screen.say(joined(literal(f"{info.reference}  ", style="bold"), literal(info.digest, style="dim")))
    if info.aliases:
        screen.say(literal("Aliases: " + ", ".join(_alias(name, share) for name, share in info.aliases.items())))
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
    _show_record(screen, details.verification)
    if info.limits:
        screen.say(literal(f"Its own limits: {_limits(info.limits)}", style="green"))


def _show_record(screen: Screen, record: VerificationRecord) -> None:
    held_out = sum(check.held_out for check in record.checks)
    right = sum(check.passed for check in record.checks)
    screen.say(
        literal(
            f"Verified: {right} of {len(record.checks)} examples right, {held_out} of them not seen by the maker; "
            f"image {record.image_digest[:19]}, runtime {record.runtime}"
        ),
        style="green",
    )
    for gate in record.gates:
        screen.say(literal(f"  {gate.gate.value.replace('_', ' ')}: {'passed' if gate.passed else 'refused'}"))
        if gate.summary:
            screen.say(literal(f"    {gate.summary}", style="dim", limit=2_000))


def _limits(limits: LimitsRequest) -> str:
    wall = f"{limits.wall_time_s:g} s of wall time" if limits.wall_time_s else ""
    memory = f"{limits.memory_bytes / MIB:.0f} MiB of memory" if limits.memory_bytes else ""
    return ", ".join(filter(None, (wall, memory)))


def _alias(name: str, share: float) -> str:
    return f"{name} ({share:.0%} of the calls)" if share else name
