"""`toolwright run`: unverified source through the same sandbox as any tool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from toolwright.cli.arguments import read_arguments
from toolwright.cli.command import Session
from toolwright.cli.documents import execution_document
from toolwright.cli.environment import Services
from toolwright.cli.exit import ExitStatus, document_of, paragraph, status_of, status_of_outcome, worst
from toolwright.cli.flags import in_flags
from toolwright.cli.reading import read_stdin, read_text, within
from toolwright.cli.rendering import show_execution
from toolwright.domain.call import Isolation
from toolwright.domain.limits import MIB, LimitsRequest
from toolwright.domain.shown import shown_line
from toolwright.domain.source import MAX_SOURCE_BYTES, ToolSource
from toolwright.errors import InvalidInput, ToolwrightError

_STDIN = "-"
_PATIENCE_S = 60.0


def run(
    session: Session,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Python source; may be named more than once; - reads it from stdin."),
    ],
    function: Annotated[str, typer.Option("--function", metavar="F", help="Module-level function to call.")],
    args: Annotated[
        str, typer.Option("--args", metavar="JSON", help="Keyword arguments: a JSON object, or @FILE that holds one.")
    ] = "{}",
    isolation: Annotated[
        Isolation | None,
        typer.Option(
            "--isolation",
            help="What a container belongs to. A running server's policy is never weakened: ask it for as strict "
            "a level or a stricter one.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="S", help="Seconds until the call is killed.", show_default=False),
    ] = None,
    memory: Annotated[
        int | None, typer.Option("--memory", metavar="MIB", help="Memory of the call in MiB.", show_default=False)
    ] = None,
) -> ExitStatus:
    """Run unverified source in the sandbox: several files one after another, and a failure does not stop the next.

    Exit status: 0 all succeeded, 1 one failed, 2 bad input (nothing ran), 3 a fault of ours.
    """
    arguments_json = read_arguments(args)
    if files.count(_STDIN) > 1:
        raise InvalidInput("FILE", "names stdin twice", "- once at most: it can be read only once")
    sources = [(path, _source(path, function)) for path in files]
    ceilings = LimitsRequest(wall_time_s=timeout, memory_bytes=None if memory is None else memory * MIB)
    remote = bool(session.options.server)
    changes = {} if remote else _changes(isolation, ceilings)
    patience_s = (timeout or 0.0) + _PATIENCE_S
    asked = _Asked(arguments_json, patience_s, *((ceilings, isolation) if remote else ()))
    try:
        with session.services(changes) as services:
            return worst([_run_one(session, services, path, source, asked) for path, source in sources])
    except InvalidInput as fault:
        raise in_flags(fault) from None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every call is asked for. In a process of our own the settings say the rest."""

    arguments_json: str
    timeout_s: float
    """How long the reply may take: longer than the call, which may have to wait for its place."""
    limits: LimitsRequest | None = None
    isolation: Isolation | None = None


def _run_one(session: Session, services: Services, path: str, source: ToolSource, asked: _Asked) -> ExitStatus:
    named = {"file": path, "function": source.function}
    try:
        execution = services.execute(
            source,
            arguments_json=asked.arguments_json,
            limits=asked.limits,
            isolation=asked.isolation,
            timeout_s=asked.timeout_s,
        )
    except ToolwrightError as fault:
        fault = in_flags(fault) if isinstance(fault, InvalidInput) else fault
        session.screen.note(f"{shown_line(path)}: {paragraph(fault)}", style="red")
        session.screen.line({**named, **document_of(fault)})
        return status_of(fault)
    show_execution(session.screen, execution, path)
    session.screen.line({**named, **execution_document(execution)})
    return status_of_outcome(execution.outcome.status)


def _source(path: str, function: str) -> ToolSource:
    limit = MAX_SOURCE_BYTES
    code = read_stdin(path, limit=limit) if path == _STDIN else read_text(Path(path), limit=limit)
    try:
        return ToolSource(code, function)
    except InvalidInput as fault:
        if fault.field == "source.function":
            raise InvalidInput("--function", fault.problem, fault.limit) from None
        if "\r" in code:
            problem = "has CR line ends, as Windows writes them: convert the file to LF line ends, such as by dos2unix"
            raise InvalidInput(path, problem) from None
        raise within(path, fault) from None


def _changes(isolation: Isolation | None, ceilings: LimitsRequest) -> dict[str, Any]:
    limits = {"wall_time_s": ceilings.wall_time_s, "memory_bytes": ceilings.memory_bytes}
    return {"isolation": {"default": isolation}, "sandbox": {"limits": limits}}
