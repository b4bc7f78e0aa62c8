"""Where settings come from beside flags and `TOOLWRIGHT_…` variables."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolwright.errors import InvalidInput


def config_file(environment: Mapping[str, str]) -> Path | None:
    """Return the settings file: the one that `TOOLWRIGHT_CONFIG` names, else the first at the usual places.

    Raises:
        InvalidInput: the named one is not there.
    """
    if named := environment.get("TOOLWRIGHT_CONFIG"):
        path = Path(named).expanduser()
        if not path.is_file():
            raise InvalidInput("TOOLWRIGHT_CONFIG", f"there is no file {named!r}")
        return path
    places = Path("toolwright.toml"), Path("~/.config/toolwright/config.toml").expanduser()
    return next((path for path in places if path.is_file()), None)


def read_file(path: Path | None) -> dict[str, Any]:
    """Return what a settings file says; nothing if there is none.

    Raises:
        InvalidInput: it cannot be read or is no TOML; names the file and the line.
    """
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise InvalidInput(str(path), f"cannot be read: {fault.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InvalidInput(str(path), f"is no TOML: {fault}") from None


def openai_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that the SDK's own variables stand for, `OPENAI_API_KEY` and `OPENAI_BASE_URL`."""
    names = {"api_key": "OPENAI_API_KEY", "base_url": "OPENAI_BASE_URL"}
    default = {field: value for field, name in names.items() if (value := environment.get(name))}
    return {"models": {"default": default}} if default else {}
