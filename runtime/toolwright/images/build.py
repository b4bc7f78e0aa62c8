"""Puts a sandbox image into the engine, unless the engine holds it. Built twice, it is the same image."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import docker

from toolwright.errors import ImageMissing
from toolwright.images.assemble import assemble
from toolwright.images.catalog import ImageInfo, engine_faults, engine_platform, find_image
from toolwright.images.mirror import Mirror, candidate_mirrors
from toolwright.images.recipe import Recipe, load_recipe


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
    platform, sources = engine_platform(client), mirrors or candidate_mirrors(os.environ)
    with assemble(recipe, platform, sources, progress, relock=relock) as archive, engine_faults():
        client.images.load(archive)
    info = find_image(client, recipe.name, recipe=recipe)
    progress(f"{info.reference} is in the engine: {info.size_bytes / 1e6:.1f} MB, files {info.content_digest}")
    return info
