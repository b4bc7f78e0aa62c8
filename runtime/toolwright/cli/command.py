"""What all commands have in common: shared flags in, an exit status out, and one paragraph for each fault."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, get_type_hints

import typer

from toolwright.cli.environment import Environment, Services
from toolwright.cli.exit import ExitStatus, document_of, error_document, paragraph, status_of
from toolwright.cli.options import Group, Options, parameters
from toolwright.cli.screen import Screen
from toolwright.domain.shown import shown
from toolwright.errors import ToolwrightError

ALL = Group.OUTPUT | Group.SERVER | Group.LOCAL
HERE = Group.OUTPUT | Group.LOCAL
"""For commands that cannot use a remote server."""
MODELS = Group.MODELS
"""Beside one of these, for commands that ask models."""

_Body = Callable[..., ExitStatus]


@dataclass(frozen=True, slots=True)
class Session:
    """One run of a command: its screen, its shared flags, and the world around it."""

    screen: Screen
    options: Options
    world: Callable[[], Environment]

    @property
    def environment(self) -> Environment:
        """The world around the command, made when it is first needed."""
        return self.world()

    def services(
        self, changes: Mapping[str, Any] | None = None, *, fresh_state: bool = False
    ) -> AbstractContextManager[Services]:
        """Connect as the shared flags say; see `Environment.services`."""
        return self.environment.services(self.options, changes or {}, fresh_state=fresh_state)

    def asking(
        self, changes: Mapping[str, Any] | None = None, *, fresh_state: bool = False
    ) -> AbstractContextManager[Services]:
        """Connect for work that asks models, and first say who answers if nobody chose one."""
        self.tell_models()
        return self.services(changes, fresh_state=fresh_state)

    def tell_models(self) -> None:
        """Say on stderr who answers, where no model was chosen."""
        if note := self.environment.models_note(self.options):
            self.screen.note(f"toolwright: {note}", style="bold yellow")


def add_command(app: typer.Typer, name: str, body: _Body, *, takes: Group = ALL, hidden: bool = False) -> None:
    """Register `body`, a function of (session, own arguments…), as the command `name` of `app`.

    The command gets the shared flags of `takes` beside its own, and every fault that leaves the
    function becomes a text (with --json, a document) and an exit status.
    """
    loose = {"ignore_unknown_options": hidden}  # what is hidden only says that it is not there, whatever is asked of it
    help_text = _unwrapped(inspect.getdoc(body) or "")
    app.command(name, help=help_text, hidden=hidden, context_settings=loose)(_with_shared_flags(body, takes))


def _unwrapped(text: str) -> str:
    """Return `text` with each paragraph on one line, for the terminal to wrap."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _with_shared_flags(body: _Body, takes: Group) -> Callable[..., None]:
    hints = get_type_hints(body, include_extras=True)
    session, *own = inspect.signature(body).parameters.values()
    own = [parameter.replace(annotation=hints[parameter.name]) for parameter in own]
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

    @functools.wraps(body)
    def run(**arguments: Any) -> None:  # noqa: ANN401 - what Typer has read, by name
        world: Callable[[], Environment] = arguments.pop("context").obj
        options = Options.taken_from(arguments)
        screen = Screen(as_json=options.as_json)
        status = guarded(lambda: body(Session(screen, options, world), **arguments), screen=screen, debug=options.debug)
        raise typer.Exit(status)

    everything = [context, *own, *parameters(takes)]
    del run.__wrapped__  # else `inspect` sees the body's parameters
    run.__signature__ = inspect.Signature(everything)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in everything}
    assert session.name == "session"  # noqa: S101 - a slip in our own source, found at import
    return run


def guarded(body: Callable[[], ExitStatus], *, screen: Screen, debug: bool) -> ExitStatus:
    """Run `body`; turn whatever it raises into a text and an exit status."""
    try:
        return body()
    except ToolwrightError as fault:
        if debug:
            screen.note(shown(traceback.format_exc()))
        screen.note(shown(f"toolwright: {paragraph(fault)}"), style="red")
        screen.document(document_of(fault))
        return status_of(fault)
    except KeyboardInterrupt:
        screen.note("toolwright: interrupted")
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return ExitStatus.BROKEN_PIPE
    except Exception as fault:  # noqa: BLE001 - the last line: a person gets a sentence, not a traceback
        return _unexpected(fault, screen=screen, debug=debug)


def _unexpected(fault: Exception, *, screen: Screen, debug: bool) -> ExitStatus:
    trace = shown("".join(traceback.format_exception(fault)))
    if debug:
        screen.note(trace)
    log = _kept(trace)
    text = f"A fault in Toolwright itself: {type(fault).__name__}: {shown(str(fault), limit=500)}."
    hint = f"The traceback is in {log}; --debug shows it." if log else "--debug shows the traceback."
    screen.note(f"toolwright: {text} {hint}", style="red")
    screen.document(error_document("INTERNAL", text, log=log))
    return ExitStatus.FAULT


def _kept(trace: str) -> str:
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="toolwright-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(trace)
    except OSError:  # no place to keep it: the short text still says what happened
        return ""
    return file.name


def _silence_stdout() -> None:
    """Let the interpreter's last flush go nowhere; else it would report the broken pipe again."""
    with suppress(OSError):  # a stdout that is no file has no last flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
