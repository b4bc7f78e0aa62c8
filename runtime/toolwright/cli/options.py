"""Flags that commands share, each defined once."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Flag, auto
from pathlib import Path
from typing import Annotated, Any

import typer

from toolwright.cli.offline import KINDS


class Group(Flag):
    """Which shared flags a command takes."""

    OUTPUT = auto()
    """How it reports: every command."""
    LOCAL = auto()
    """Settings of services and sandboxes in this process."""
    SERVER = auto()
    """A running server to use instead."""
    MODELS = auto()
    """Recording what models say, and replaying it."""


@dataclass(frozen=True, slots=True)
class Options:
    """The shared flags as given; empty, None or False where they were not."""

    as_json: bool = False
    debug: bool = False
    server: str = ""
    config: Path | None = None
    state_dir: Path | None = None
    runtime: str = ""
    image: str = ""
    offline: bool = False
    docker_host: str = ""
    record: Path | None = None
    replay: Path | None = None

    @classmethod
    def taken_from(cls, arguments: dict[str, Any]) -> Options:
        """Return the shared flags among `arguments`, and take them out of it."""
        return cls(**{field.name: arguments.pop(field.name) for field in fields(cls) if field.name in arguments})

    def settings(self) -> dict[str, Any]:
        """Return the flags in the form of `settings.load_settings`; None where a flag was not given."""
        return {
            "state_dir": self.state_dir,
            "docker_host": self.docker_host or None,
            "sandbox": {"image": self.image or None, "runtime": self.runtime or None},
            "models": {"offline": self.offline or None, "record": self.record, "replay": self.replay},
        }


def parameters(groups: Group) -> Iterator[inspect.Parameter]:
    """Yield the shared flags of `groups`, as parameters for Typer."""
    for group, parameter in _PARAMETERS:
        if group in groups:
            yield parameter


def _flag(name: str, kind: Any, *spellings: str, text: str, panel: str, variable: str = "") -> inspect.Parameter:  # noqa: ANN401 - a type form
    option = typer.Option(*spellings, help=text, rich_help_panel=panel, envvar=variable or None, show_default=False)
    defaults: dict[Any, Any] = {bool: False, str: ""}
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=defaults.get(kind),
        annotation=Annotated[kind, option],
    )


_REPORT = "How to report"
_WHERE = "Where it runs"

_PARAMETERS: tuple[tuple[Group, inspect.Parameter], ...] = (
    (
        Group.OUTPUT,
        _flag("as_json", bool, "--json", text="Write JSON to stdout, and all else to stderr.", panel=_REPORT),
    ),
    (
        Group.OUTPUT,
        _flag("debug", bool, "--debug", text="Show the traceback of a fault of ours.", panel=_REPORT),
    ),
    (
        Group.SERVER,
        _flag(
            "server",
            str,
            "--server",
            text="Use the server at this address (HOST:PORT or unix:PATH) instead of this process.",
            panel=_WHERE,
            variable="TOOLWRIGHT_SERVER",
        ),
    ),
    (Group.LOCAL, _flag("config", Path | None, "--config", text="Settings file (TOML).", panel=_WHERE)),
    (
        Group.LOCAL,
        _flag("state_dir", Path | None, "--state-dir", text="Directory that holds the registry.", panel=_WHERE),
    ),
    (Group.LOCAL, _flag("runtime", str, "--runtime", text="OCI runtime: runc, runsc, crun, …", panel=_WHERE)),
    (Group.LOCAL, _flag("image", str, "--image", text="Sandbox image, by name or digest.", panel=_WHERE)),
    (
        Group.LOCAL,
        _flag(
            "offline",
            bool,
            "--offline",
            text="Let the built-in offline model answer: scripted replies, no key, no network. It knows six kinds of "
            f"question: {', '.join(KINDS)}.",
            panel=_WHERE,
        ),
    ),
    (
        Group.LOCAL,
        _flag("docker_host", str, "--docker-host", text="Address of the Docker engine.", panel=_WHERE),
    ),
    (
        Group.MODELS,
        _flag(
            "record",
            Path | None,
            "--record",
            text="Add every exchange with a model to this file, without keys, for --replay.",
            panel=_WHERE,
        ),
    ),
    (
        Group.MODELS,
        _flag(
            "replay",
            Path | None,
            "--replay",
            text="Let the models answer from this file, which --record wrote: nothing is sent anywhere.",
            panel=_WHERE,
        ),
    ),
)
