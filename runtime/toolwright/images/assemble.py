"""Makes an image from its recipe: packages, files, layer, archive. No engine; the same inputs give the same bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from typing import IO

from toolwright.errors import ImageMissing
from toolwright.images.archive import Configuration, write_image, write_layer
from toolwright.images.bootstrap import unpacked
from toolwright.images.labels import Origin, Platform, image_reference
from toolwright.images.lock import Package, differences, format_lock, read_lock
from toolwright.images.mirror import Mirror
from toolwright.images.recipe import Recipe
from toolwright.images.tree import Tree, complete, read_tree, violations
from toolwright.images.wheels import Wheel, fetched


def assemble(
    recipe: Recipe,
    platform: Platform,
    mirrors: Sequence[Mirror],
    progress: Callable[[str], None],
    *,
    relock: bool = False,
) -> IO[bytes]:
    """Return an archive for `docker load`, at its start; it is the caller's to close.

    Args:
        recipe: what to make.
        platform: what it will run on.
        mirrors: where packages may come from; the first that serves is used.
        progress: gets a line for people at each step, and each package that differs from the lock.
        relock: write the packages and wheels that come into the recipe's locks.

    Raises:
        ImageMissing: a program, mirror or lock of wheels is missing, or the files would break what an image promises.
        InvalidInput: a lock is malformed.
    """
    with fetched(recipe, platform.debian, progress, relock=relock) as wheels:
        tree, packages = _files(recipe, platform, mirrors, progress, wheels)
    if relock:
        recipe.lock_path(platform.debian).write_text(format_lock(packages), encoding="utf-8")
    changed = _compare(recipe, platform, packages, progress)
    digest = recipe.digest(platform.debian)
    with tempfile.TemporaryFile() as layer:
        content_digest = write_layer(tree, layer)
        everything = (*packages, *(wheel.package for wheel in wheels))
        origin = Origin(recipe.name, digest, content_digest, everything, not changed, recipe.agent_protocol)
        configuration = Configuration(
            platform.engine,
            recipe.entrypoint,
            recipe.environment,
            origin.labels(),
            image_reference(recipe, digest),
        )
        return write_image(layer, content_digest, configuration)


def _files(
    recipe: Recipe,
    platform: Platform,
    mirrors: Sequence[Mirror],
    progress: Callable[[str], None],
    wheels: Sequence[Wheel],
) -> tuple[Tree, tuple[Package, ...]]:
    paths = [wheel.path for wheel in wheels]
    with unpacked(recipe, platform.debian, mirrors, progress, paths) as archive, archive.open("rb") as stream:
        kept, packages = read_tree(stream, recipe)
    tree = complete(kept, recipe, (*packages, *(wheel.package for wheel in wheels)))
    if broken := violations(tree, recipe):
        lines = "\n".join(broken[:20])
        message = f"the image {recipe.name!r} would break its promises ({len(broken)}); correct the recipe:\n{lines}"
        raise ImageMissing(message)
    return tree, packages


def _compare(
    recipe: Recipe, platform: Platform, packages: Sequence[Package], progress: Callable[[str], None]
) -> tuple[str, ...]:
    """Say how the packages differ from the lock. Debian's point releases move on, so this does not stop a build."""
    path = recipe.lock_path(platform.debian)
    locked = read_lock(path)
    changed = differences(locked or (), packages)
    if changed:
        what = f"there is no {path.name}" if locked is None else f"other packages than {path.name} names"
        progress(f"WARNING: {what}; Debian's signatures are good, and the image bears a label. To accept: --relock")
        for line in changed:
            progress(f"WARNING: {line}")
    return changed
