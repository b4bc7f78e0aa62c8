"""Which sandbox images the engine holds, and which of them is the one to run: never another one in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker
import requests
from docker.errors import DockerException, ImageNotFound

from toolwright.errors import EngineUnavailable, ImageMissing
from toolwright.images.labels import NAME, Origin, Platform, image_reference
from toolwright.images.lock import Package
from toolwright.images.recipe import Recipe, load_recipe


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image in the engine."""

    name: str
    reference: str
    """`repository:tag`; for people. Containers are made from `image_id`, which cannot be moved."""
    image_id: str
    """`sha256:` and 64 hex digits, of the image's configuration and so of all in it."""
    content_digest: str
    """`sha256:` and 64 hex digits, of the files alone."""
    recipe_digest: str
    """64 hex digits, of all that the build read."""
    created: str
    """The same for all builds, so that the same files give the same id."""
    size_bytes: int
    packages: tuple[Package, ...]
    packages_locked: bool
    """Whether the packages are those of the recipe's lock."""
    agent_protocol: int


def engine_platform(client: docker.DockerClient) -> Platform:
    """Return what the engine runs on.

    Raises:
        EngineUnavailable: it does not answer.
    """
    with engine_faults():
        return Platform.of_engine(str(client.version()["Arch"]))


def find_image(client: docker.DockerClient, name: str = "python", *, recipe: Recipe | None = None) -> ImageInfo:
    """Return the image built from the recipe as it is now.

    Args:
        client: a connected `docker.DockerClient`.
        name: of the image.
        recipe: instead of the one of that name that came with this package.

    Raises:
        ImageMissing: it is not in the engine; one built from another recipe does not count.
        NotFound: there is no recipe of that name.
        EngineUnavailable: the engine does not answer.
    """
    recipe = recipe or load_recipe(name)
    digest = recipe.digest(engine_platform(client).debian)
    reference = image_reference(recipe, digest)
    try:
        with engine_faults():
            image = client.images.get(reference)
    except ImageNotFound as error:
        message = f"the sandbox image {name!r} ({reference}) is not in the engine: run `toolwright images build {name}`"
        raise ImageMissing(message) from error
    info = _info(reference, image.attrs)
    if info is None or (info.name, info.recipe_digest) != (name, digest):
        message = f"{reference} is not what its name says: run `toolwright images build {name} --force`"
        raise ImageMissing(message)
    return info


def list_images(client: docker.DockerClient) -> Sequence[ImageInfo]:
    """Return all images of ours that the engine holds, by name and reference; those of older recipes too.

    Raises:
        EngineUnavailable: the engine does not answer.
    """
    with engine_faults():
        images = client.images.list(filters={"label": NAME})
    found = [_info(next(iter(image.tags), image.short_id), image.attrs) for image in images]
    return sorted((info for info in found if info is not None), key=lambda info: (info.name, info.reference))


@contextmanager
def engine_faults() -> Iterator[None]:
    """Turn an engine that does not answer into `EngineUnavailable`; an image that is not there stays what it is."""
    try:
        yield
    except ImageNotFound:
        raise
    except (DockerException, requests.RequestException) as error:
        message = f"the container engine does not answer: {error}; start it, or name another by DOCKER_HOST"
        raise EngineUnavailable(message) from error


def _info(reference: str, attributes: Mapping[str, Any]) -> ImageInfo | None:
    """Read what the engine says of an image; None where it only bears our label, or other files than that says."""
    origin = Origin.read((attributes.get("Config") or {}).get("Labels") or {})
    if origin is None or (attributes.get("RootFS") or {}).get("Layers") != [origin.content_digest]:
        return None
    image_id = str(attributes["Id"])
    return ImageInfo(
        name=origin.name,
        reference=reference,
        # Podman leaves the algorithm out.
        image_id=image_id if ":" in image_id else f"sha256:{image_id}",
        content_digest=origin.content_digest,
        recipe_digest=origin.recipe_digest,
        created=str(attributes.get("Created", "")),
        size_bytes=int(attributes.get("Size", 0)),
        packages=origin.packages,
        packages_locked=origin.packages_locked,
        agent_protocol=origin.agent_protocol,
    )
