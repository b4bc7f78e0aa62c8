"""Writes docs/settings.md from the settings themselves, so that it cannot say anything else than they do.

settings_doc.py            write it
settings_doc.py --check    change nothing; exit 1 if it is not current
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from toolwright.settings import RoleSettings, Settings
from toolwright.settings.root import ENV_PREFIX

PATH = Path(__file__).resolve().parents[1] / "docs" / "settings.md"

HEAD = """# Settings

<!-- Written by scripts/settings_doc.py; a test holds it to the settings. Change those, and run it. -->

Each setting has one name. The first source that gives it wins, so that sources can be mixed:

1. a flag of the command line (`--runtime runsc`), where there is one;
2. an environment variable: the setting's name after `TOOLWRIGHT_`, in capitals, with `__` for each dot
   (`TOOLWRIGHT_SANDBOX__RUNTIME=runsc`);
3. a TOML file: the one that `--config` or `TOOLWRIGHT_CONFIG` names, else `./toolwright.toml`, else
   `~/.config/toolwright/config.toml`. Only one is read, and a dot in a name is a table in it;
4. `OPENAI_API_KEY` and `OPENAI_BASE_URL`, for `models.default.api_key` and `models.default.base_url`;
5. the default.

They are read once, at start. A name that is no setting, or a value outside its bounds, stops the program with status 2
and says what is allowed. An example of a `toolwright.toml`:

```toml
listen = "127.0.0.1:7433"

[sandbox]
runtime = "runsc"

[sandbox.limits]
wall_time_s = 5

[models.default]
model = "gpt-4o-mini"
```

Beside these, `TOOLWRIGHT_SERVER` names a running server to commands, as `--server` does, and `DOCKER_HOST` names the
container engine to Toolwright as to other programs.

What is kept is in `state_dir`: the registry, `registry.db`.
"""


def document() -> str:
    """Return the whole text."""
    return "\n".join([HEAD, *_section(Settings, "")]).rstrip("\n") + "\n"


def _section(model: type[BaseModel], path: str) -> Iterator[str]:
    own = {name: field for name, field in model.model_fields.items() if _model_of(field) is None}
    if path:
        yield f"## {path}\n"
        yield f"{_prose(model.__doc__)}\n"
    else:
        yield "## At the top\n"
    if model is RoleSettings:
        names = ", ".join(f"`{path}.{name}`" for name in own)
        yield f"{names}: as in `models.default`, and their variables alike (`{variable(f'{path}.model')}`).\n"
    else:
        yield "| name | default | what |\n| --- | --- | --- |"
        for name, field in own.items():
            dotted = f"{path}.{name}" if path else name
            yield f"| `{dotted}`<br>`{variable(dotted)}` | {_default(field)} | {_prose(field.description)} |"
        yield ""
    for name, field in model.model_fields.items():
        if (inner := _model_of(field)) is not None:
            yield from _section(inner, f"{path}.{name}" if path else name)


def variable(dotted: str) -> str:
    """Return the environment variable of a setting."""
    return ENV_PREFIX + dotted.replace(".", "__").upper()


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value in ("", {}, ()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _prose(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def main() -> int:
    """Write the file, or compare it."""
    if "--check" not in sys.argv[1:]:
        PATH.write_text(document(), encoding="utf-8")
        return 0
    if PATH.read_text(encoding="utf-8") == document():
        return 0
    sys.stderr.write(f"toolwright: {PATH.name} is not what the settings say: run scripts/settings_doc.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
