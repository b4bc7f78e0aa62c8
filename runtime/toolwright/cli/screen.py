"""Where output goes: one stream for results, one for all else, and JSON never mixed with text."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from toolwright.cli.safe_text import json_text

_PLAIN_WIDTH = 120


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
        self.people.print(*parts, style=style or None, soft_wrap=_wraps(parts))

    def note(self, *parts: RenderableType, style: str = "dim") -> None:
        """Show `parts` on stderr."""
        self.notes.print(*parts, style=style or None, soft_wrap=_wraps(parts))

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
        console.width = _PLAIN_WIDTH  # a table in a file need not fit the default of 80
    return console


def _wraps(parts: tuple[RenderableType, ...]) -> bool:
    """Return whether the terminal, and not Rich, shall wrap: so that copied text has no line ends of ours."""
    return all(isinstance(part, str | Text) for part in parts)
