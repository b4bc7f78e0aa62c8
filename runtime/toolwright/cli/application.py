"""The command `toolwright`: which commands there are, and how one is run."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from types import FrameType
from typing import Annotated

import typer
from typer.exceptions import TyperException

from toolwright.cli import (
    ask,
    bench,
    call,
    costs,
    demo,
    doctor,
    eval,  # noqa: A004 - named for its command
    images,
    lives,
    make,
    makings,
    misses,
    report,
    run,
    serve,
    tools,
    verify,
)
from toolwright.cli.command import ALL, HERE, MODELS, add_command, guarded
from toolwright.cli.environment import Environment
from toolwright.cli.exit import ExitStatus, error_document
from toolwright.cli.missing import not_in_this_version
from toolwright.cli.screen import Screen
from toolwright.domain.shown import shown

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_MISSING = {
    "images": ("audit", "sbom"),
    "audit": ("verify", "search", "export"),
}
_LIVES: dict[str, Callable[..., ExitStatus]] = {
    "history": lives.show_history,
    "approve": lives.approve_tool,
    "quarantine": lives.quarantine_tool,
    "retire": lives.retire_tool,
    "alias": lives.set_alias,
    "rollback": lives.roll_back,
    "export": lives.export_tool,
    "import": lives.import_tool,
}


def build_app() -> typer.Typer:
    """Return the application; its context object must return an `Environment`."""
    app = _group("Toolwright makes, verifies and safely runs tools that language models write.")
    app.callback()(_root)
    add_command(app, "demo", demo.demo, takes=HERE | MODELS)
    add_command(app, "serve", serve.serve, takes=HERE | MODELS)
    add_command(app, "make", make.make, takes=ALL | MODELS)
    add_command(app, "ask", ask.ask, takes=ALL | MODELS)
    add_command(app, "call", call.call)
    add_command(app, "run", run.run)
    add_command(app, "report", report.report)
    add_command(app, "eval", eval.evaluate, takes=ALL | MODELS)
    add_command(app, "costs", costs.costs)
    groups = {
        "tools": _group("What is in the registry."),
        "makings": _group("Tools being made, and that were."),
        "images": _group("The sandbox images in the engine."),
        "misses": _group("Questions that no tool fitted."),
        "audit": _group("The execution log. Not in this version."),
    }
    add_command(groups["tools"], "list", tools.list_tools)
    add_command(groups["tools"], "show", tools.show_tool)
    add_command(groups["tools"], "search", tools.search_tools)
    add_command(groups["misses"], "list", misses.list_misses)
    add_command(groups["misses"], "show", misses.show_misses)
    add_command(groups["misses"], "answer", misses.answer_miss)
    for command, body in _LIVES.items():
        add_command(groups["tools"], command, body)
    add_command(groups["tools"], "verify", verify.verify_tools)
    add_command(groups["makings"], "list", makings.list_makings)
    add_command(groups["makings"], "show", makings.show_making)
    add_command(groups["makings"], "follow", makings.follow_making)
    add_command(groups["makings"], "cancel", makings.cancel_making)
    add_command(groups["images"], "build", images.build_image, takes=HERE)
    add_command(groups["images"], "list", images.list_images, takes=HERE)
    add_command(groups["images"], "prune", images.prune_images, takes=HERE)
    for name, group in groups.items():
        for missing in _MISSING.get(name, ()):
            add_command(group, missing, not_in_this_version(f"{name} {missing}"), hidden=True)
        app.add_typer(group, name=name, hidden=name == "audit")
    add_command(app, "doctor", doctor.doctor, takes=HERE)
    add_command(app, "bench", bench.bench, takes=HERE)
    return app


def execute(arguments: Sequence[str], world: Callable[[], Environment]) -> ExitStatus:
    """Run the command line `arguments` in what `world` returns, and return the exit status."""
    as_json = "--json" in arguments
    screen = Screen(as_json=as_json)

    def body() -> ExitStatus:
        command = typer.main.get_command(build_app())
        try:
            status = command.main(list(arguments), prog_name="toolwright", standalone_mode=False, obj=world)
        except TyperException as fault:
            return _usage(fault, screen)
        return ExitStatus(status or 0)

    return guarded(body, screen=screen, debug="--debug" in arguments)


def run_process() -> ExitStatus:
    """Run the command line that this process was started with, and return its exit status."""
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` wants it
            signal.signal(number, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 still gets every answer
    _set_up_logs(sys.argv[1:])
    status = execute(sys.argv[1:], _real_world)
    _ignore_signals()  # all is cleaned up: a late one must not change how this ends
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return ExitStatus.BROKEN_PIPE
    return status


def _set_up_logs(arguments: Sequence[str]) -> None:
    """Send the services' log to stderr where it is wanted; elsewhere each fault is told in words of our own."""
    wanted = "serve" in arguments[:1] or "--debug" in arguments
    handler = logging.StreamHandler() if wanted else logging.NullHandler()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("toolwright").setLevel(logging.INFO)  # libraries speak of each request at that level


def _real_world() -> Environment:
    # Imported only once a command runs: help and usage errors need not wait for gRPC, Docker and the registry.
    from toolwright.cli.world import World  # noqa: PLC0415

    return World()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"toolwright {version('toolwright')}")
        raise typer.Exit


def _root(
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Take the flags before a command."""


def _group(text: str) -> typer.Typer:
    return typer.Typer(help=text, no_args_is_help=True, add_completion=False, rich_markup_mode="rich")


def _usage(fault: TyperException, screen: Screen) -> ExitStatus:
    context = getattr(fault, "ctx", None)
    message = fault.format_message().replace(": Value error, ", ": ")  # whose error it is says nothing to a person
    if message:  # else Typer has shown the help already
        screen.note(shown(context.get_usage()) if context else "")
        screen.note(shown(f"toolwright: {message}"), style="red")
    screen.document(error_document("USAGE", message or "a command is missing"))
    return ExitStatus.USAGE


def _ignore_signals() -> None:
    for number in (*_ENDING, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """Leave by the same road as an exception, so that containers and files are cleaned up."""
    _ignore_signals()  # a second one must not cut that short
    raise SystemExit(ExitStatus.TERMINATED)
