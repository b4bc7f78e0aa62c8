"""Which packages an image came from, with the digest of each archive."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from toolwright.errors import InvalidInput

_HEADER = """\
# Debian packages of this image: name, version, architecture, SHA-256 of the archive.
# Written by `toolwright images build --relock`. A build that gets others says so and records it in the image.
"""
_LINE = re.compile(r"(?P<name>[a-z0-9][a-z0-9.+-]*) (?P<version>\S+) (?P<architecture>\S+) (?P<sha256>[0-9a-f]{64})")
_ARCHIVE = re.compile(r"(?P<sha256>[0-9a-f]{64})  (?P<name>[^_/]+)_(?P<version>[^_/]+)_(?P<architecture>[^_/]+)\.deb")


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One Debian package as it was downloaded."""

    name: str
    version: str
    architecture: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.architecture} {self.sha256}"


def parse_packages(text: str, source: str) -> tuple[Package, ...]:
    """Read lines of `name version architecture sha256`; `source` is named in errors.

    Raises:
        InvalidInput: a line has another form.
    """
    packages = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise InvalidInput(f"{source}:{number}", "is no package", "name version architecture sha256")
        packages.append(Package(**match.groupdict()))
    return tuple(sorted(packages))


def parse_archives(text: str) -> tuple[Package, ...]:
    """Read what `sha256sum *.deb` prints in apt's cache, where a colon in a version is written `%3a`.

    Raises:
        InvalidInput: a line has another form.
    """
    packages = []
    for line in text.splitlines():
        match = _ARCHIVE.fullmatch(line)
        if match is None:
            raise InvalidInput("downloaded packages", f"{line[:200]!r} is no archive")
        packages.append(Package(**match.groupdict() | {"version": unquote(match["version"])}))
    return tuple(sorted(packages))


def read_lock(path: Path) -> tuple[Package, ...] | None:
    """Return what a lock file holds, or None where there is no such file.

    Raises:
        InvalidInput: it is no lock file.
    """
    if not path.is_file():
        return None
    return parse_packages(path.read_text(encoding="utf-8"), path.name)


def format_lock(packages: Iterable[Package]) -> str:
    """Return the text of a lock file."""
    return _HEADER + "".join(f"{package}\n" for package in sorted(packages))


def differences(locked: Iterable[Package], got: Iterable[Package]) -> tuple[str, ...]:
    """Say how `got` differs from `locked`, a line a package; nothing where they are the same."""
    before = {package.name: package for package in locked}
    after = {package.name: package for package in got}
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None:
            lines.append(f"{name}: not locked, got {new}")
        elif new is None:
            lines.append(f"{name}: locked at {old.version}, not needed any more")
        elif old.version != new.version:
            lines.append(f"{name}: locked at {old.version}, got {new.version}")
        elif old != new:
            lines.append(f"{name}: {new.version} has another SHA-256 than the locked one: {new.sha256}")
    return tuple(lines)
