"""Takes sandbox images away that no recipe of this package gives any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import docker
from docker.errors import APIError, ImageNotFound

from toolwright.errors import ImageMissing
from toolwright.images.catalog import ImageInfo, engine_faults, find_image, list_images
from toolwright.images.recipe import Recipe, load_recipe, recipe_names

_CONFLICT: Final = 409
"""How the engine refuses to remove an image of which there are containers."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of the images of older recipes."""

    removed: tuple[ImageInfo, ...]
    in_use: tuple[ImageInfo, ...]
    """Left, since containers are made from them."""


def prune_images(client: docker.DockerClient, *, recipes: Sequence[Recipe] | None = None) -> Pruned:
    """Remove all sandbox images of ours but those that the recipes, as they are now, give.

    Args:
        client: a connected `docker.DockerClient`.
        recipes: all that came with this package if None.

    Raises:
        EngineUnavailable: the engine does not answer.
    """
    if recipes is None:
        recipes = [load_recipe(name) for name in recipe_names()]
    current = {info.image_id for recipe in recipes if (info := _current(client, recipe))}
    removed: list[ImageInfo] = []
    in_use: list[ImageInfo] = []
    for image in list_images(client):
        if image.image_id not in current:
            (removed if _remove(client, image.image_id) else in_use).append(image)
    return Pruned(tuple(removed), tuple(in_use))


def _current(client: docker.DockerClient, recipe: Recipe) -> ImageInfo | None:
    try:
        return find_image(client, recipe.name, recipe=recipe)
    except ImageMissing:
        return None


def _remove(client: docker.DockerClient, image_id: str) -> bool:
    """Remove an image under all its names; return whether it is gone."""
    with engine_faults():
        try:
            for tag in client.images.get(image_id).tags:
                client.images.remove(tag)
            client.images.remove(image_id)
        except ImageNotFound:  # the last of its names took it along, or someone else did
            return True
        except APIError as fault:
            if fault.status_code == _CONFLICT:
                return False
            raise
    return True
