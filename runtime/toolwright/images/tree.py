"""The files of an image, held in memory between the packages they come from and the layer they become."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from posixpath import dirname, join, normpath
from typing import IO, Literal

from toolwright.errors import ImageMissing
from toolwright.images.lock import Package, parse_archives
from toolwright.images.recipe import Recipe

PACKAGES_FILE = "toolwright-packages.txt"
"""Where the hook leaves the digests of the archives, in the unpacked tree only."""

OWN = "usr/lib/toolwright"
"""What of an image is no Debian package's: the agent, what it reads at start, and libraries."""
SITE = f"{OWN}/site-packages"
_ALIASES = ("bin", "lib", "lib64", "sbin")
_DIRECTORY_MODE, _FILE_MODE, _PROGRAM_MODE = 0o755, 0o644, 0o755
_MAX_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, directory or symbolic link. Owner and time are the same for all: uid 0, gid 0, one fixed time."""

    kind: Literal["file", "directory", "link"]
    mode: int = _DIRECTORY_MODE
    content: bytes = b""
    """Of a file."""
    target: str = ""
    """Of a link."""


Tree = Mapping[str, Entry]
"""Entries by path, without a leading slash."""


def read_tree(archive: IO[bytes], recipe: Recipe) -> tuple[Tree, tuple[Package, ...]]:
    """Take from an unpacked root file system what `recipe` keeps, and which packages it came from.

    Raises:
        ImageMissing: the archive is cut short, or has no list of packages.
    """
    entries: dict[str, Entry] = {}
    packages: tuple[Package, ...] = ()
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            for member in tar:
                path = normpath(member.name)
                if path == PACKAGES_FILE:
                    packages = parse_archives(_content(tar, member).decode())
                elif recipe.wants(path) or path.startswith(f"{OWN}/toolwright_agent/"):
                    entries[path] = _entry(tar, member, entries, recipe)
    except tarfile.TarError as error:
        message = f"the unpacked packages cannot be read: {error}; build the image again"
        raise ImageMissing(message) from error
    if not packages:
        message = "the unpacked packages hold no list of archives; build the image again"
        raise ImageMissing(message)
    return entries, packages


def complete(tree: Tree, recipe: Recipe, packages: Iterable[Package]) -> Tree:
    """Add what no package has: mount points, user names, our own files, and every directory on the way."""
    entries = dict(tree)
    for directory in recipe.directories:
        entries[directory] = Entry("directory")
    for alias in _ALIASES:
        if any(path.startswith(f"usr/{alias}/") for path in tree):
            entries[alias] = Entry("link", 0o777, target=f"usr/{alias}")
    # Programs ask for the name of uid 0 and of "nobody"; the uids of calls have none.
    entries["etc/passwd"] = _file("root:x:0:0:root:/:/nonexistent\nnobody:x:65534:65534:nobody:/:/nonexistent\n")
    entries["etc/group"] = _file("root:x:0:\nnogroup:x:65534:\n")
    start = {"preload": recipe.preload, "reseed": recipe.reseed}
    entries[f"{OWN}/start.json"] = _file(json.dumps(start, indent=0) + "\n")
    entries[f"{OWN}/packages.json"] = _file(
        json.dumps([[item.name, item.version, item.architecture, item.sha256] for item in packages], indent=0) + "\n"
    )
    for path in list(entries):
        while path := dirname(path):
            entries.setdefault(path, Entry("directory"))
    return entries


def violations(tree: Tree, recipe: Recipe) -> tuple[str, ...]:
    """Say what in `tree` breaks the promises of an image, a line each; nothing where all is well."""
    found = []
    for path, entry in sorted(tree.items()):
        if entry.kind == "link":
            if _resolve(tree, path) is None:
                found.append(f"{path}: link to {entry.target}, which is not in the image")
        elif entry.mode & 0o7022:
            found.append(f"{path}: mode {entry.mode:o}")
        elif entry.kind == "file" and entry.mode & 0o111 and not recipe.is_executable(path):
            found.append(f"{path}: executable, and the recipe does not say so")
    python = _resolve(tree, recipe.python.lstrip("/"))
    if python is None or tree[python].kind != "file":
        found.append(f"{recipe.python}: the interpreter is missing")
    return tuple(found)


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo, before: Tree, recipe: Recipe) -> Entry:
    path = normpath(member.name)
    if member.isdir():
        return Entry("directory")
    if member.issym():
        return Entry("link", 0o777, target=member.linkname)
    mode = _PROGRAM_MODE if recipe.is_executable(path) else _FILE_MODE
    if member.isreg():
        return Entry("file", mode, content=_content(tar, member))
    if member.islnk() and normpath(member.linkname) in before:
        return Entry("file", mode, content=before[normpath(member.linkname)].content)
    message = f"{path} is a device, a socket, or a hard link to what the recipe drops: no image holds that"
    raise ImageMissing(message)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    if stream is None or member.size > _MAX_FILE_BYTES:
        message = f"{member.name} in the unpacked packages is no file of at most {_MAX_FILE_BYTES} bytes"
        raise ImageMissing(message)
    return stream.read()


def _file(text: str) -> Entry:
    return Entry("file", _FILE_MODE, content=text.encode())


def _resolve(tree: Tree, path: str, depth: int = 16) -> str | None:
    """Follow links inside the image to the end; None where that leads nowhere."""
    if path in {"", "."}:
        return path
    parent = _resolve(tree, dirname(path), depth)
    if parent is None or depth == 0:
        return None
    full = join(parent, path.rpartition("/")[2]) if parent not in {"", "."} else path.rpartition("/")[2]
    entry = tree.get(full)
    if entry is None or entry.kind != "link":
        return full if entry is not None else None
    target = entry.target.lstrip("/") if entry.target.startswith("/") else join(dirname(full), entry.target)
    return _resolve(tree, normpath(target), depth - 1)
