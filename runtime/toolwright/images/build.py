"""Builds a sandbox image from Debian packages and puts it into the engine. Built twice, it is the same image."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import docker

from toolwright.errors import ImageMissing
from toolwright.images.archive import Configuration, write_image, write_layer
from toolwright.images.bootstrap import unpacked
from toolwright.images.catalog import (
    ImageInfo,
    Platform,
    engine_faults,
    engine_platform,
    find_image,
    image_labels,
    image_reference,
)
from toolwright.images.lock import Package, differences, format_lock, read_lock
from toolwright.images.mirror import Mirror, candidate_mirrors
from toolwright.images.recipe import Recipe, load_recipe
from toolwright.images.tree import Tree, complete, read_tree, violations


@dataclass(frozen=True, slots=True)
class BuiltTree:
    """The files of an image and what they came from."""

    tree: Tree
    packages: tuple[Package, ...]


def build_image(  # noqa: PLR0913 - the options of one command, by keyword
    client: docker.DockerClient,
    name: str = "python",
    *,
    progress: Callable[[str], None],
    force: bool = False,
    relock: bool = False,
    recipe: Recipe | None = None,
    mirrors: Sequence[Mirror] | None = None,
) -> ImageInfo:
    """Return the image of the recipe as it is now, building it if the engine does not hold it.

    Args:
        client: a connected `docker.DockerClient`.
        name: of the image.
        progress: gets a line for people at each step, and each package that differs from the lock.
        force: build even if the engine holds it.
        relock: write the packages that come into the recipe's lock. Implies `force`.
        recipe: instead of the one of that name that came with this package.
        mirrors: instead of those set in the environment or used by the host.

    Raises:
        ImageMissing: it could not be built; the text says what to do.
        NotFound: there is no recipe of that name.
        InvalidInput: recipe, lock or mirror are malformed.
        EngineUnavailable: the engine does not answer.
    """
    recipe = recipe or load_recipe(name)
    if not (force or relock):
        try:
            return find_image(client, recipe.name, recipe=recipe)
        except ImageMissing:
            progress(f"building the sandbox image {recipe.name!r}")
    platform = engine_platform(client)
    built = build_tree(recipe, platform.debian, mirrors or candidate_mirrors(os.environ), progress)
    if relock:
        recipe.lock_path(platform.debian).write_text(format_lock(built.packages), encoding="utf-8")
    changed = _compare(recipe, platform, built.packages, progress)
    _load(client, recipe, platform, built, locked=not changed)
    info = find_image(client, recipe.name, recipe=recipe)
    progress(f"{info.reference} is in the engine: {info.size_bytes / 1e6:.1f} MB, files {info.content_digest}")
    return info


def build_tree(
    recipe: Recipe, architecture: str, mirrors: Sequence[Mirror], progress: Callable[[str], None]
) -> BuiltTree:
    """Fetch and unpack the packages for a Debian architecture and return the image's files; needs no engine.

    Raises:
        ImageMissing: a program or mirror is missing, or the files would break what an image promises.
    """
    with unpacked(recipe, architecture, mirrors, progress) as archive, archive.open("rb") as stream:
        kept, packages = read_tree(stream, recipe)
    tree = complete(kept, recipe, packages)
    if broken := violations(tree, recipe):
        lines = "\n".join(broken[:20])
        message = f"the image {recipe.name!r} would break its promises ({len(broken)}); correct the recipe:\n{lines}"
        raise ImageMissing(message)
    return BuiltTree(tree, packages)


def _compare(
    recipe: Recipe, platform: Platform, packages: Sequence[Package], progress: Callable[[str], None]
) -> tuple[str, ...]:
    """Say how the packages differ from the lock. Debian's point releases move on, so this does not stop a build."""
    path = recipe.lock_path(platform.debian)
    locked = read_lock(path)
    changed = differences(locked or (), packages)
    if changed:
        what = f"{path.name} is not there" if locked is None else f"other packages than {path.name} names"
        progress(
            f"WARNING: {what}; their signatures are good, and the image says so in a label. To accept them: --relock"
        )
        for line in changed:
            progress(f"WARNING: {line}")
    return changed


def _load(client: docker.DockerClient, recipe: Recipe, platform: Platform, built: BuiltTree, *, locked: bool) -> None:
    digest = recipe.digest(platform.debian)
    reference = image_reference(recipe, digest)
    with tempfile.TemporaryFile() as layer:
        content_digest = write_layer(built.tree, layer)
        labels = image_labels(
            recipe, recipe_digest=digest, content_digest=content_digest, packages=built.packages, packages_locked=locked
        )
        configuration = Configuration(platform.engine, recipe.entrypoint, recipe.environment, labels, reference)
        archive = write_image(layer, content_digest, configuration)
    with engine_faults():
        client.images.load(archive)
