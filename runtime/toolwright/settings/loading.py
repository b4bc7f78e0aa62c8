"""Reads the settings, and says of a bad one what it is and what is allowed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from toolwright.errors import InvalidInput
from toolwright.settings.root import ENV_PREFIX, Settings

# Beginnings of names that others read: this module, the command line, the scripts that set up an engine and build
# images, the tests. So no typos.
_ENV_OTHER: Final = tuple(
    ENV_PREFIX + name for name in ("CONFIG", "SERVER", "ENGINE_", "DEBIAN_", "ETC", "TEST_", "LATM_")
)

_SHOWN_CHARS: Final = 80

# The library's words for these are of its own types and bounds, and the latter stand in our documentation.
_PROBLEMS: Final = {
    "string_pattern_mismatch": "has no valid form",
    "too_long": "has too many entries",
    "greater_than_equal": "is too small",
    "greater_than": "is too small",
    "less_than_equal": "is too large",
    "less_than": "is too large",
    "finite_number": "is no finite number",
    "enum": "is none of those",
    "int_parsing": "is no whole number",
    "int_from_float": "is no whole number",
    "int_type": "is no whole number",
    "float_parsing": "is no number",
    "float_type": "is no number",
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "string_type": "is no text",
}


def load_settings(flags: Mapping[str, Any] | None = None) -> Settings:
    """Read all sources and return the settings.

    Args:
        flags: what the command line gave, nested like the sections; None values are left out.

    Raises:
        InvalidInput: names the setting, what is wrong with it, and what is allowed.
    """
    _refuse_unknown_environment(os.environ)
    try:
        return Settings(**_without_none(flags or {}))
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False)[0]
        # A key that is refused has a mark of the library's after it; it may be long.
        field = ".".join(str(part)[:_SHOWN_CHARS] for part in first["loc"] if part != "[key]") or "settings"
        if first["type"] == "extra_forbidden":
            raise InvalidInput(field, "is no setting", _known_names(first["loc"][:-1])) from None
        problem = _PROBLEMS.get(first["type"]) or first["msg"].removeprefix("Value error, ")
        raise InvalidInput(field, problem, _meaning(first["loc"])) from None
    except SettingsError as fault:
        raise InvalidInput("environment", f"{fault}: {fault.__cause__ or ''}".rstrip(": ")) from None


def _refuse_unknown_environment(environment: Mapping[str, str]) -> None:
    """The library reads only names that it knows, so a typo would go unseen."""
    for name in sorted(environment):
        upper = name.upper()
        top = upper.removeprefix(ENV_PREFIX).split("__")[0].lower()
        if upper.startswith(ENV_PREFIX) and not upper.startswith(_ENV_OTHER) and top not in Settings.model_fields:
            raise InvalidInput(name, "is no setting", ENV_PREFIX + " followed by " + _known_names(()))


def _known_names(path: tuple[int | str, ...]) -> str:
    section = _section(path)
    return ", ".join(section.model_fields) if section else ""


def _meaning(path: tuple[int | str, ...]) -> str:
    """Return what the setting's own documentation says: it holds the bounds and the unit."""
    for end in range(len(path), 0, -1):  # what stands in a table of the setting's has none of its own
        section = _section(path[: end - 1])
        if section and (field := section.model_fields.get(str(path[end - 1]))):
            return " ".join((field.description or "").split()).rstrip(".")
    return ""


def _section(path: tuple[int | str, ...]) -> type[BaseModel] | None:
    section: type[BaseModel] = Settings
    for name in path:
        field = section.model_fields.get(str(name))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return None
        section = field.annotation
    return section


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value is not None
    }
