"""`toolwright tools …`: what becomes of versions: history, approvals, states, aliases, export and import."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from toolwright.cli.command import Session
from toolwright.cli.documents import tool_document
from toolwright.cli.exit import ExitStatus
from toolwright.cli.reading import read_bytes
from toolwright.cli.safe_text import literal
from toolwright.cli.screen import Screen
from toolwright.cli.tools import say_dependants
from toolwright.domain.lifecycle import UNKNOWN_ACTOR, ToolEvent
from toolwright.domain.tool import ToolInfo
from toolwright.errors import InvalidInput
from toolwright.registry.tool_file import MAX_FILE_BYTES, SUFFIX

_VERSION = "name@version, name@alias or sha256:…"

Version = Annotated[str, typer.Argument(metavar="VERSION", help=_VERSION, show_default=False)]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the tool.", show_default=False)]
Actor = Annotated[
    str, typer.Option("--actor", help="Who does it; kept as said.", show_default="the user of this program")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the tool.")]
NeededReason = Annotated[str, typer.Option("--reason", help="Why; kept with the tool.", show_default=False)]


def show_history(session: Session, name: Name) -> ExitStatus:
    """Show what happened to a tool: who, what, why and when, oldest first."""
    with session.services() as services:
        events = list(services.list_tool_events(name))
    session.screen.document({"events": [event_document(event) for event in events]})
    if session.screen.as_json:
        return ExitStatus.DONE
    if events:
        session.screen.say(_history_table(events))
    else:
        session.screen.say(literal(f"Nothing is on record of {name}."))
    return ExitStatus.DONE


def approve_tool(session: Session, tool: Version, reason: Reason = "", actor: Actor = "") -> ExitStatus:
    """Approve a version that waits for it, or release one from quarantine, which needs a reason.

    It is active once as many persons have approved it as the server's setting trust.approval wants.
    """
    with session.services() as services:
        info = services.approve_tool(tool, actor=_actor(actor), reason=reason)
    return _shown(session.screen, info, f"{info.reference} is {info.state.value}.")


def quarantine_tool(session: Session, tool: Version, reason: NeededReason, actor: Actor = "") -> ExitStatus:
    """Hold a version back until it is verified again or approved. What is made from it is named: it stops too."""
    with session.services() as services:
        info = services.quarantine_tool(tool, reason=reason, actor=_actor(actor))
        dependants = services.get_tool(info.reference).dependants
    return _stopped(session.screen, info, f"{info.reference} is quarantined: it is not run.", dependants)


def retire_tool(session: Session, tool: Version, reason: NeededReason, actor: Actor = "") -> ExitStatus:
    """Take a version out of use for good. What is made from it is named: it stops too."""
    with session.services() as services:
        info = services.retire_tool(tool, reason=reason, actor=_actor(actor))
        dependants = services.get_tool(info.reference).dependants
    return _stopped(session.screen, info, f"{info.reference} is retired: it is not run any more.", dependants)


def set_alias(
    session: Session,
    name: Name,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="stable, canary or a name of yours.")],
    version: Annotated[
        int | None, typer.Argument(metavar="[VERSION]", min=1, help="Number of the version.", show_default=False)
    ] = None,
    share: Annotated[
        float, typer.Option("--share", min=0, max=1, help="Share of the calls of NAME that go to canary.")
    ] = 0.0,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the alias.")] = False,
    reason: Reason = "",
    actor: Actor = "",
) -> ExitStatus:
    """Point NAME@ALIAS at a version, or remove the alias.

    NAME alone means NAME@stable where that is set, else the newest active version.
    """
    if remove == (version is not None):
        raise InvalidInput("VERSION", "is needed, unless --remove is given", "one of them")
    with session.services() as services:
        info = services.set_alias(name, alias, version or 0, share=share, actor=_actor(actor), reason=reason)
    if info is None:
        session.screen.document({"removed": f"{name}@{alias}"})
        session.screen.say(literal(f"{name}@{alias} is removed."))
        return ExitStatus.DONE
    return _shown(session.screen, info, f"{name}@{alias} is {info.reference}.")


def roll_back(session: Session, name: Name, reason: Reason = "", actor: Actor = "") -> ExitStatus:
    """Point NAME@stable at what it pointed at before; again, at what it pointed at before that."""
    with session.services() as services:
        info = services.rollback_tool(name, actor=_actor(actor), reason=reason)
    return _shown(session.screen, info, f"{name} is {info.reference} again.")


def export_tool(
    session: Session,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help=f"name, {_VERSION}", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.", show_default=f"NAME-VERSION{SUFFIX}")
    ] = None,
) -> ExitStatus:
    """Write a version to a signed file, with its task, examples and verification record."""
    with session.services() as services:
        exported = services.export_tool(tool)
    info = exported.info
    path = output or Path(f"{info.name}-{info.number}{SUFFIX}")
    _write(path, exported.file)
    session.screen.document({**tool_document(info), "file": str(path), "public_key": exported.public_key})
    session.screen.say(literal(f"{info.reference} is in {path}, signed by"))
    session.screen.say(literal(exported.public_key))
    return ExitStatus.DONE


def import_tool(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `toolwright tools export`.")],
    trust_key: Annotated[
        list[str] | None,
        typer.Option("--trust-key", help="Public key (ed25519:…) that is trusted for this file.", show_default=False),
    ] = None,
    actor: Actor = "",
) -> ExitStatus:
    """Verify the tool in a signed file here, and keep it.

    The key that signed it has to be one of the setting trust.trusted_keys, or be given.
    """
    raw = read_bytes(file, limit=MAX_FILE_BYTES)
    with session.asking() as services:
        imported = services.import_tool(raw, trusted_keys=trust_key or (), actor=_actor(actor))
    info, same = imported.info, imported.info.digest == imported.digest
    session.screen.document(
        {**tool_document(info), "file_digest": imported.digest, "same_digest": same, "key_id": imported.key_id}
    )
    came = "the version in the file" if same else "another version than in the file"
    session.screen.say(literal(f"{info.reference} is {info.state.value}; verified here, it is {came}."))
    return ExitStatus.DONE


def event_document(event: ToolEvent) -> dict[str, Any]:
    """Return an event as `tools history --json` shows it."""
    document = asdict(event)
    for name in ("from_state", "to_state"):
        document[name] = document[name] and document[name].value
    return {**document, "kind": event.kind.value}


def _history_table(events: list[ToolEvent]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("when (UTC)", "version", "what", "who", "why"):
        table.add_column(heading, overflow="fold")
    for event in events:
        number = f"{event.name}@{event.number}" if event.number else event.name
        table.add_row(
            datetime.fromtimestamp(event.at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S"),
            literal(number),
            literal(_what(event)),
            literal(event.actor, limit=80),
            literal(event.reason, limit=400),
        )
    return table


def _what(event: ToolEvent) -> str:
    if event.alias:
        before = f" (before: {event.from_number})" if event.from_number else ""
        share = f", share {event.share:g}" if event.share else ""
        target = f"@{event.alias} is {event.number}" if event.number else f"@{event.alias} is removed"
        return f"{event.kind.value}: {target}{share}{before}"
    if event.to_state is not None:
        before = f"{event.from_state.value} → " if event.from_state else ""
        return f"{event.kind.value}: {before}{event.to_state.value}"
    return event.kind.value


def _shown(screen: Screen, info: ToolInfo, text: str) -> ExitStatus:
    screen.document(tool_document(info))
    screen.say(literal(text))
    return ExitStatus.DONE


def _stopped(screen: Screen, info: ToolInfo, text: str, dependants: Sequence[str]) -> ExitStatus:
    screen.document({**tool_document(info), "dependants": list(dependants)})
    screen.say(literal(text))
    say_dependants(screen, dependants)
    return ExitStatus.DONE


def _actor(actor: str) -> str:
    if actor:
        return actor
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in a container
        return UNKNOWN_ACTOR


def _write(path: Path, raw: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(raw)
    except FileExistsError:
        raise InvalidInput("--output", f"{path} is there already", "a file that is not there") from None
    except (OSError, ValueError) as fault:  # ValueError: a NUL in the name
        raise InvalidInput("--output", f"cannot be written: {getattr(fault, 'strerror', None) or fault}") from None
