"""What a sandbox image is made of, as data read from `sandbox_images/<name>/recipe.toml`."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from toolwright.errors import ImageMissing, InvalidInput, NotFound

BUILD_FORM = 2
"""Counts changes of the build itself: another number makes every image out of date."""

_AGENT = Path("agent") / "toolwright_agent"
_HOOK = "bootstrap-hook.sh"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One image. Paths inside the image have no leading slash; patterns are those of `fnmatch`."""

    name: str
    base: str
    """Name of the recipe that this one adds to; empty for none."""
    suite: str
    packages: tuple[str, ...]
    wheels: tuple[str, ...]
    """Python distributions beside the standard library; what they depend on comes with them."""
    python: str
    agent_protocol: int
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str]
    executables: tuple[str, ...]
    directories: tuple[str, ...]
    keep: tuple[str, ...]
    drop: tuple[str, ...]
    """Taken out again of what `keep` names."""
    preload: tuple[str, ...]
    """Modules that the agent imports before it forks the first call."""
    reseed: tuple[str, ...]
    """Functions, as `module:name`, that take a seed and so give each call random numbers of its own."""
    root: Path
    """The `sandbox_images` directory it was read from."""

    @property
    def directory(self) -> Path:
        """Where the recipe and its locks are."""
        return self.root / self.name

    @property
    def agent(self) -> Path:
        """The agent's package."""
        return self.root / _AGENT

    @property
    def hook(self) -> Path:
        """The script that runs in the unpacked tree."""
        return self.root / _HOOK

    def wants(self, path: str) -> bool:
        """Whether the image holds what a package has at `path`."""
        return _matches(path, self.keep) and not _matches(path, self.drop)

    def is_executable(self, path: str) -> bool:
        """Whether the file at `path` may be executed."""
        return any(fnmatchcase(path, pattern) for pattern in self.executables)

    def digest(self, architecture: str) -> str:
        """Return the digest of all that a build reads: recipe, lock, hook and agent, as 64 hex digits.

        Raises:
            ImageMissing: the agent's files are not where they should be.
        """
        total = hashlib.sha256(f"toolwright image {BUILD_FORM} {architecture}\n".encode())
        for label, path in self._inputs(architecture):
            content = path.read_bytes()
            total.update(f"{label} {len(content)}\n".encode())
            total.update(content)
        return total.hexdigest()

    def lock_path(self, architecture: str) -> Path:
        """Return where the packages' digests for a Debian architecture such as `amd64` are kept."""
        return self.directory / f"packages.{architecture}.lock"

    def wheel_lock_path(self, architecture: str) -> Path:
        """Return where the digests of the wheels for a Debian architecture are kept."""
        return self.directory / f"wheels.{architecture}.lock"

    @property
    def python_version(self) -> str:
        """Version of the interpreter inside, such as `3.13`."""
        return self.python.rpartition("/python")[2]

    def agent_files(self) -> tuple[Path, ...]:
        """Return the agent's source files, sorted.

        Raises:
            ImageMissing: there are none.
        """
        files = tuple(sorted(path for path in self.agent.rglob("*.py") if path.is_file()))
        if self.agent / "__main__.py" not in files:
            message = (
                f"the sandbox agent is not at {self.agent}: this copy of Toolwright is incomplete; install it anew"
            )
            raise ImageMissing(message)
        return files

    def _inputs(self, architecture: str) -> Iterator[tuple[str, Path]]:
        for name in filter(None, (self.base, self.name)):
            yield f"recipe {name}", self.root / name / "recipe.toml"
        yield "hook", self.hook
        for lock in (self.lock_path(architecture), self.wheel_lock_path(architecture)):
            if lock.is_file():
                yield lock.name, lock
        for path in self.agent_files():
            yield path.relative_to(self.agent).as_posix(), path


def images_root() -> Path:
    """Return the directory of recipes: beside the sources in a checkout, inside the package when installed.

    Raises:
        ImageMissing: neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "_sandbox_images", package.parents[1] / "sandbox_images"):
        if candidate.is_dir():
            return candidate
    message = f"no image recipes beside {package}: this copy of Toolwright is incomplete; install it anew"
    raise ImageMissing(message)


def recipe_names(root: Path | None = None) -> tuple[str, ...]:
    """Return the names of all images that can be built."""
    return tuple(sorted(path.parent.name for path in (root or images_root()).glob("*/recipe.toml")))


def load_recipe(name: str = "python", root: Path | None = None) -> Recipe:
    """Read a recipe.

    Raises:
        NotFound: there is none of that name.
        InvalidInput: the file is not a recipe; the text names the field.
    """
    root = root or images_root()
    data = _read(name, root)
    base = str(data.get("base", ""))
    if base:
        below = _read(base, root)
        if "base" in below:
            raise InvalidInput(f"{name}/recipe.toml", f"its base {base!r} has a base too", "one that stands alone")
        data = _added(below, data, name)
    return _parse(data, name, root)


def _read(name: str, root: Path) -> Mapping[str, Any]:
    if name not in recipe_names(root):
        raise NotFound("image recipe", name, f"there are: {', '.join(recipe_names(root)) or 'none'}")
    try:
        return tomllib.loads((root / name / "recipe.toml").read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{name}/recipe.toml", str(error)) from error


def _added(base: Mapping[str, Any], own: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return `base` with what `own` adds: lists grow, and nothing but the name is replaced."""
    data = dict(base) | {"name": own.get("name"), "base": own["base"]}
    for key, value in own.items():
        if key in {"name", "base"}:
            continue
        there = data.get(key)
        if isinstance(value, list) and isinstance(there, list | None):
            data[key] = [*(there or ()), *value]
        elif isinstance(value, dict) and isinstance(there, dict) and not value.keys() & there.keys():
            data[key] = there | value
        else:
            raise InvalidInput(f"{name}/recipe.toml", f"{key} would replace what its base says", "additions alone")
    return data


def _parse(data: Mapping[str, Any], name: str, root: Path) -> Recipe:
    try:
        recipe = Recipe(
            name=_text(data, "name"),
            base=str(data.get("base", "")),
            suite=_text(data, "suite"),
            packages=_texts(data, "packages"),
            wheels=_texts(data, "wheels") if "wheels" in data else (),
            python=_text(data, "python"),
            agent_protocol=int(data["agent_protocol"]),
            entrypoint=_texts(data, "entrypoint"),
            environment={str(key): str(value) for key, value in data["environment"].items()},
            executables=_texts(data, "executables"),
            directories=_texts(data, "directories"),
            keep=_patterns(data, "keep"),
            drop=_patterns(data, "drop"),
            preload=_texts(data, "preload"),
            reseed=_texts(data, "reseed") if "reseed" in data else (),
            root=root,
        )
    except KeyError as error:
        raise InvalidInput(f"{name}/recipe.toml", f"{error.args[0]} is missing") from error
    if recipe.name != name:
        raise InvalidInput(f"{name}/recipe.toml", f"name is {recipe.name!r}", "the name of its directory")
    return recipe


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data[key]
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"recipe.{key}", "is not a text", "a text that is not empty")
    return value


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = data[key]
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise InvalidInput(f"recipe.{key}", "is not a list of texts", "a list that is not empty")
    return tuple(value)


def _patterns(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return all paths of the tables under `key`; each must say why it is there."""
    for number, table in enumerate(data[key]):
        if not table.get("why"):
            raise InvalidInput(f"recipe.{key}[{number}].why", "is missing", "the reason, as a text")
    return tuple(path for table in data[key] for path in _texts(table, "paths"))


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a pattern names `path` or a directory that it is in."""
    parts = path.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(fnmatchcase(name, pattern) for name in above for pattern in patterns)
