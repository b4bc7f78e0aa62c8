"""Where output goes: one stream for results, one for all else, and JSON never mixed with text."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.text import Text

from toolwright.cli.safe_text import json_text, safe_json
from toolwright.domain.shown import shown

_PLAIN_WIDTH = 100_000
"""Of what is no terminal: a table in a file or a pipe has each row on one line."""
_TERMINAL_LIMIT = 100_000
"""Characters of a result on a terminal; in a file or a pipe it is always whole."""


class _Console(Console):
    """A console that leaves a broken pipe to the command's own handler."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


class Screen:
    """Results for people, or JSON for programs, on stdout; notes, progress and faults on stderr.

    With `as_json` the text for people moves to stderr, so that stdout holds JSON alone.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.notes = _console(stderr=True)
        self.people = self.notes if as_json else _console(stderr=False)

    def say(self, *parts: RenderableType, style: str = "") -> None:
        """Show `parts` to people. Strings are taken literally; untrusted ones need `safe_text` first."""
        if self.people.is_terminal:
            self.people.print(*parts, style=style or None, soft_wrap=_wraps(parts))
            return
        with self.people.capture() as captured:
            for part in parts or ("",):
                self.people.print(_plain(part), soft_wrap=_wraps((_plain(part),)))
        lines = captured.get().removesuffix("\n").split("\n")
        self.people.file.write("\n".join(line.rstrip(" ") for line in lines) + "\n")
        self.people.file.flush()  # whoever reads along sees each step as it happens

    def note(self, *parts: RenderableType, style: str = "dim") -> None:
        """Show `parts` on stderr."""
        self.notes.print(*parts, style=style or None, soft_wrap=_wraps(parts))

    def result(self, json: str) -> None:
        """Show a result, JSON text of a tool's: all of it, and on stdout nothing else; nothing if JSON is wanted."""
        if not self.as_json:
            whole = safe_json(json)
            limit = _TERMINAL_LIMIT if self.people.is_terminal else None
            sys.stdout.write((whole if limit is None else shown(whole, limit=limit)) + "\n")
            sys.stdout.flush()

    def document(self, value: Any) -> None:  # noqa: ANN401 - the type of a JSON value
        """Write the command's one JSON document, if JSON is wanted."""
        self._write(value, indent=2 if sys.stdout.isatty() else None)

    def line(self, value: Any) -> None:  # noqa: ANN401 - the type of a JSON value
        """Write one line of JSON Lines, if JSON is wanted."""
        self._write(value, indent=None)

    def progress(self) -> Progress:
        """Return a progress bar on stderr, gone when it is done; nothing is drawn where there is no terminal."""
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.notes,
            transient=True,
            disable=not self.notes.is_terminal,
        )

    def _write(self, value: Any, *, indent: int | None) -> None:  # noqa: ANN401 - the type of a JSON value
        if self.as_json:
            sys.stdout.write(json_text(value, indent=indent) + "\n")
            sys.stdout.flush()


def _console(*, stderr: bool) -> Console:
    console = _Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


def _plain(part: RenderableType) -> RenderableType:
    """Return what stands for `part` where there is no terminal: code without colours and padding."""
    return Text(part.code) if isinstance(part, Syntax) else part


def _wraps(parts: tuple[RenderableType, ...]) -> bool:
    """Return whether the terminal, and not Rich, shall wrap: so that copied text has no line ends of ours."""
    return all(isinstance(part, str | Text) for part in parts)
