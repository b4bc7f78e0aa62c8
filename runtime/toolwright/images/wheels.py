"""Python wheels of an image: fetched by pip from the index that it is configured for, fixed by hash, unpacked here.

Nothing of a wheel is installed or run while the image is built.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath

from toolwright.errors import ImageMissing, InvalidInput
from toolwright.images.lock import Package
from toolwright.images.recipe import Recipe
from toolwright.images.tree import SITE

_HEADER = """\
# Wheels of this image, in the form that pip reads: each file by its SHA-256. A build takes these and no others.
# Written by `toolwright images build --relock`.
"""
_LINE = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[A-Za-z0-9.!+]+) --hash=sha256:(?P<sha256>[0-9a-f]{64})")
_LIMIT_S = 900.0
_KEPT_CHARS = 2_000
_MAX_UNPACKED_BYTES = 1024 * 1024 * 1024

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Architectures for which there are wheels, in Debian's words and in those of wheels."""
_GLIBC = range(17, 42)
"""A wheel says the oldest glibc 2.N that it runs with; Debian 13 has 2.41."""
_INSTALLED = ("purelib", "platlib")


@dataclass(frozen=True, slots=True)
class Wheel:
    """One downloaded file, with the digest that it really has."""

    package: Package
    """Its `architecture` is the tag of the wheel, such as `py3-none-any`."""
    path: Path

    @classmethod
    def read(cls, path: Path) -> Wheel:
        """Take name, version and tag from the file's name, and the digest from its bytes."""
        name, version, *_, python, abi, platform = path.stem.split("-")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return cls(Package(_normal(name), version, f"{python}-{abi}-{platform}", digest), path)


@contextmanager
def fetched(
    recipe: Recipe, architecture: str, progress: Callable[[str], None], *, relock: bool = False
) -> Iterator[tuple[Wheel, ...]]:
    """Give the wheels of `recipe` for a Debian architecture, none where it wants none. They go when the context ends.

    Args:
        recipe: which wheels.
        architecture: one of Debian's, such as `amd64`.
        progress: gets a line for people.
        relock: take what the index offers now, and write that into the recipe's lock.

    Raises:
        ImageMissing: pip is missing or failed, or there is no lock for this architecture.
        InvalidInput: the lock is malformed.
    """
    if not recipe.wheels:
        yield ()
        return
    lock = recipe.wheel_lock_path(architecture)
    _require(recipe, architecture, lock, relock=relock)
    locked = {} if relock else read_lock(lock)
    wanted = recipe.wheels if relock else ("--require-hashes", "-r", str(lock))
    with tempfile.TemporaryDirectory(prefix="toolwright-wheels-") as name:
        progress(f"fetching {' '.join(recipe.wheels)} by pip, as wheels")
        _download(recipe, architecture, wanted, Path(name))
        wheels = tuple(sorted((Wheel.read(path) for path in Path(name).iterdir()), key=lambda wheel: wheel.package))
        if relock:
            lock.write_text(format_lock(wheel.package for wheel in wheels), encoding="utf-8")
        elif (got := {wheel.package.name: wheel.package.sha256 for wheel in wheels}) != locked:
            message = f"pip brought other wheels than {lock.name} names: {sorted(got.items() ^ locked.items())}"
            raise ImageMissing(message)
        yield wheels


def unpack(wheel: Path, target: Path, recipe: Recipe) -> None:
    """Unpack into `target` what `recipe` keeps of a wheel.

    Raises:
        ImageMissing: it is no wheel, holds a path that leads out of it, or needs more than unpacking.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if sum(member.file_size for member in members) > _MAX_UNPACKED_BYTES:
                message = f"{wheel.name} unpacks to more than {_MAX_UNPACKED_BYTES} bytes"
                raise ImageMissing(message)
            for member in members:
                if _belongs(wheel, member.filename) and recipe.wants(f"{SITE}/{member.filename}"):
                    path = target / member.filename
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(member))
    except zipfile.BadZipFile as error:
        message = f"{wheel.name} is no wheel: {error}"
        raise ImageMissing(message) from error


def read_lock(path: Path) -> Mapping[str, str]:
    """Return the SHA-256 of each wheel that a lock names, by the name of its distribution.

    Raises:
        InvalidInput: a line has another form, or a name stands twice.
    """
    locked: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or match["name"] in locked:
            raise InvalidInput(f"{path.name}:{number}", "is no wheel", "name==version --hash=sha256:… once for a name")
        locked[match["name"]] = match["sha256"]
    return locked


def format_lock(packages: Iterator[Package]) -> str:
    """Return the text of a lock, which pip takes as a file of requirements."""
    lines = (f"{item.name}=={item.version} --hash=sha256:{item.sha256}\n" for item in sorted(packages))
    return _HEADER + "".join(lines)


def _require(recipe: Recipe, architecture: str, lock: Path, *, relock: bool) -> None:
    if architecture not in _MACHINES:
        message = f"there are no wheels for {architecture}, so no image {recipe.name!r}: only {', '.join(_MACHINES)}"
        raise ImageMissing(message)
    if not relock and not lock.is_file():
        message = (
            f"the image {recipe.name!r} has no {lock.name}, so it cannot be built for {architecture} as it is: "
            f"`toolwright images build {recipe.name} --relock` takes what pip's index offers now and writes that file; "
            "look at it before you trust the image"
        )
        raise ImageMissing(message)
    try:
        version("pip")
    except PackageNotFoundError:
        message = f"the image {recipe.name!r} needs pip for its wheels: run `{sys.executable} -m ensurepip`"
        raise ImageMissing(message) from None


def _download(recipe: Recipe, architecture: str, wanted: Sequence[str], target: Path) -> None:
    machine = _MACHINES[architecture]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"),
        # A source distribution would run its own program on this host.
        *("--only-binary", ":all:", "--implementation", "cp", "--python-version", recipe.python_version),
        *(f"--platform=manylinux_2_{minor}_{machine}" for minor in reversed(_GLIBC)),
        f"--platform=manylinux2014_{machine}",
        *("--dest", str(target), *wanted),
    ]
    try:
        subprocess.run(  # noqa: S603 - a fixed program; what varies comes from the recipe
            command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LIMIT_S
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = str(error.stderr or error)[-_KEPT_CHARS:].strip()
        message = (
            f"the wheels of the image {recipe.name!r} could not be fetched: check that pip can reach its index "
            f"(`pip config list` shows which). pip said:\n{said}"
        )
        raise ImageMissing(message) from error


def _belongs(wheel: Path, name: str) -> bool:
    """Whether a member is for the library's directory: scripts, manual pages and headers are not."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        message = f"{wheel.name} holds {name!r}, which leads out of it"
        raise ImageMissing(message)
    if not path.parts[0].endswith(".data"):
        return True
    if path.parts[1] in _INSTALLED:
        message = f"{wheel.name} holds {name!r}: such wheels need an installer, and none takes part in a build"
        raise ImageMissing(message)
    return False


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
