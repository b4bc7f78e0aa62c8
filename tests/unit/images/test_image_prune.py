"""Images of older recipes go; the current one and those in use stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

import docker
import pytest
from docker.errors import APIError, ImageNotFound
from requests import Response

from toolwright.errors import EngineUnavailable
from toolwright.images.labels import Origin, image_reference
from toolwright.images.lock import Package
from toolwright.images.prune import prune_images
from toolwright.images.recipe import Recipe

pytestmark = pytest.mark.unit

PACKAGES = (Package("python3.13", "3.13.5-2", "amd64", "a" * 64),)


@dataclass
class Image:
    """An image with its names."""

    attrs: dict[str, Any]
    tags: list[str]
    short_id: str = "sha256:1234567890"


@dataclass
class Engine:
    """Holds images by id, as far as pruning goes; those in `used` have containers."""

    held: dict[str, Image] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    status: int = HTTPStatus.CONFLICT

    @property
    def images(self) -> Engine:
        return self

    def version(self) -> dict[str, str]:
        return {"Arch": "amd64"}

    def list(self, filters: Mapping[str, str]) -> list[Image]:
        return list(self.held.values())

    def get(self, name: str) -> Image:
        for image_id, image in self.held.items():
            if name == image_id or name in image.tags:
                return image
        raise ImageNotFound(name)

    def remove(self, name: str) -> None:
        """Take a name away, and with the last one the image, as engines do."""
        image = self.get(name)
        if image.attrs["Id"] in self.used:
            response = Response()
            response.status_code = self.status
            raise APIError("refused", response)
        image.tags = [] if name == image.attrs["Id"] else [tag for tag in image.tags if tag != name]
        if not image.tags:
            del self.held[image.attrs["Id"]]

    def add(self, letter: str, recipe_digest: str, *tags: str) -> str:
        """Hold an image of a recipe; return its id."""
        origin = Origin("tiny", recipe_digest, "sha256:" + "c" * 64, PACKAGES, packages_locked=True, agent_protocol=1)
        image_id = "sha256:" + letter * 64
        attributes = {
            "Id": image_id,
            "Size": 1,
            "Config": {"Labels": origin.labels()},
            "RootFS": {"Layers": [origin.content_digest]},
        }
        self.held[image_id] = Image(attributes, list(tags))
        return image_id

    @property
    def client(self) -> docker.DockerClient:
        """Itself, as the type that it stands for."""
        return cast("docker.DockerClient", self)


@pytest.fixture
def engine(recipe: Recipe) -> Engine:
    """The current image, one of an older recipe under two names, a nameless one, and a foreign one."""
    engine = Engine()
    digest = recipe.digest("amd64")
    engine.add("1", digest, image_reference(recipe, digest))
    engine.add("2", "0" * 64, "toolwright-sandbox-tiny:0000", "mine:1")
    engine.add("3", "1" * 64)
    engine.held["sha256:4"] = Image({"Id": "sha256:4", "Config": {"Labels": {"org.toolwright.image": "x"}}}, ["x:1"])
    return engine


def test_only_older_images_of_ours_go(engine: Engine, recipe: Recipe) -> None:
    """Under all their names; what is current or not ours stays."""
    pruned = prune_images(engine.client, recipes=[recipe])
    assert [image.image_id[7] for image in pruned.removed] == ["3", "2"]
    assert pruned.in_use == ()
    assert sorted(engine.held) == ["sha256:" + "1" * 64, "sha256:4"]


def test_an_image_in_use_stays_and_is_named(engine: Engine, recipe: Recipe) -> None:
    """Containers of another server may be made from it."""
    engine.used = {"sha256:" + "2" * 64}
    pruned = prune_images(engine.client, recipes=[recipe])
    assert [image.image_id[7] for image in pruned.in_use] == ["2"]
    assert [image.image_id[7] for image in pruned.removed] == ["3"]


def test_another_refusal_is_a_fault(engine: Engine, recipe: Recipe) -> None:
    """An engine that fails is not taken for one that refuses."""
    engine.used, engine.status = {"sha256:" + "2" * 64}, HTTPStatus.INTERNAL_SERVER_ERROR
    with pytest.raises(EngineUnavailable):
        prune_images(engine.client, recipes=[recipe])
