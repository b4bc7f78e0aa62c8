"""Unpacks Debian packages into a root file system with mmdebstrap. No registry, no engine and no tool takes part."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from toolwright.errors import ImageMissing
from toolwright.images.mirror import Mirror, find_keyring
from toolwright.images.recipe import Recipe
from toolwright.images.wheels import unpack

_LIMIT_S = 900.0
"""Longer than any mirror that still answers; apt gives up on one that does not."""
_KEPT_LINES = 12
_SITE = "site-packages"

_APT_OPTIONS = (
    'Acquire::Languages "none"',
    'Acquire::Retries "3"',
    'Acquire::http::Timeout "30"',
    'Acquire::https::Timeout "30"',
)


@contextmanager
def unpacked(
    recipe: Recipe,
    architecture: str,
    mirrors: Sequence[Mirror],
    progress: Callable[[str], None],
    wheels: Sequence[Path] = (),
) -> Iterator[Path]:
    """Give the path of a tar archive with the packages of `recipe`, the agent and `wheels` unpacked, and compiled.

    The architecture is one of Debian's, such as `amd64`; another one than the host's needs an emulator. Each of
    `mirrors` is tried in turn. The archive goes when the context ends.

    Raises:
        ImageMissing: a program is missing or no mirror served; the text says what to do.
    """
    program, keyring = _requirements(recipe)
    with tempfile.TemporaryDirectory(prefix="toolwright-image-") as name:
        work = Path(name)
        # In a user namespace mmdebstrap is another user, who must be able to read the hook and the agent.
        work.chmod(0o755)
        _stage(recipe, work, wheels)
        archive = work / "root.tar"
        for number, mirror in enumerate(mirrors, start=1):
            progress(f"unpacking {' '.join(recipe.packages)} of Debian {recipe.suite} from {mirror.main}")
            last = _run(
                [program, *_options(recipe, architecture, work), *mirror.sources(recipe.suite, keyring)], archive
            )
            if last is None:
                yield archive
                return
            if number < len(mirrors):
                progress(f"{mirror.main} did not serve; trying the next mirror")
        raise ImageMissing(_failure(recipe, last))


def _requirements(recipe: Recipe) -> tuple[str, Path]:
    program = shutil.which("mmdebstrap")
    if program is None:
        message = (
            "the sandbox image is not in the engine, and mmdebstrap, which builds it, is not installed: on Debian or "
            "Ubuntu run `make images` or `apt-get install mmdebstrap`; elsewhere build "
            f"{recipe.root / 'python' / 'Dockerfile'} (its first lines say how)"
        )
        raise ImageMissing(message)
    keyring = find_keyring()
    if keyring is None:
        message = "the sandbox image cannot be built without Debian's keys: `apt-get install debian-archive-keyring`"
        raise ImageMissing(message)
    return program, keyring


def _stage(recipe: Recipe, work: Path, wheels: Sequence[Path]) -> None:
    shutil.copyfile(recipe.hook, work / "hook.sh")
    for path in recipe.agent_files():
        target = work / "agent" / path.relative_to(recipe.agent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for wheel in wheels:
        unpack(wheel, work / _SITE, recipe)


def _options(recipe: Recipe, architecture: str, work: Path) -> list[str]:
    script, agent, site = (shlex.quote(str(work / name)) for name in ("hook.sh", "agent", _SITE))
    hook = f'sh {script} "$1" {agent} {site}'
    return [
        "--variant=extract",
        f"--architectures={architecture}",
        # Without root the same is done in a user namespace; both give the same files.
        "--mode=root" if os.geteuid() == 0 else "--mode=unshare",
        "--format=tar",
        f"--include={','.join(recipe.packages)}",
        *(f"--aptopt={option}" for option in _APT_OPTIONS),
        f"--extract-hook={hook}",
        recipe.suite,
        "-",
    ]


def _run(command: Sequence[str], archive: Path) -> str | None:
    """Run mmdebstrap into `archive`; None if that went well, else its last words."""
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    environment = {**os.environ, "LC_ALL": "C"}
    with (
        archive.open("wb") as output,
        subprocess.Popen(  # noqa: S603 - a fixed program; what varies is checked by recipe and mirror
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, env=environment
        ) as process,
    ):
        timer = threading.Timer(_LIMIT_S, process.terminate)
        timer.start()
        try:
            last.extend(line.decode(errors="replace").rstrip() for line in process.stderr or ())
        finally:
            timer.cancel()
    return None if process.returncode == 0 else "\n".join(last)


def _failure(recipe: Recipe, last: str | None) -> str:
    hint = (
        "check that the mirror can be reached, or name one by TOOLWRIGHT_DEBIAN_MIRROR"
        if os.geteuid() == 0
        else "run the same as root, or install uidmap and give this user a range in /etc/subuid and /etc/subgid"
    )
    return f"the image {recipe.name!r} could not be unpacked: {hint}. mmdebstrap said:\n{last}"
