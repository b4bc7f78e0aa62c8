"""The image to run is the one of the recipe as it is now; nothing else takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import docker
import pytest
import requests
from docker.errors import ImageNotFound

from toolwright.errors import EngineUnavailable, ImageMissing
from toolwright.images.catalog import find_image, list_images
from toolwright.images.labels import Origin, Platform, image_reference
from toolwright.images.lock import Package
from toolwright.images.recipe import Recipe

pytestmark = pytest.mark.unit


@dataclass
class FakeImage:
    attrs: dict[str, Any]
    tags: list[str]
    short_id: str = "sha256:1234567890"


@dataclass
class FakeEngine:
    """What the catalog uses of a `docker.DockerClient`: version and images."""

    by_name: dict[str, FakeImage] = field(default_factory=dict)
    fault: Exception | None = None

    @property
    def images(self) -> FakeEngine:
        return self

    def version(self) -> dict[str, str]:
        if self.fault:
            raise self.fault
        return {"Arch": "amd64"}

    def get(self, name: str) -> FakeImage:
        if name not in self.by_name:
            raise ImageNotFound(name)
        return self.by_name[name]

    def list(self, filters: Mapping[str, str]) -> list[FakeImage]:
        assert filters == {"label": "org.toolwright.image"}
        return list(self.by_name.values())

    @property
    def client(self) -> docker.DockerClient:
        """Itself, as the type that it stands for."""
        return cast("docker.DockerClient", self)


@pytest.fixture
def origin(recipe: Recipe) -> Origin:
    """Where a build of `recipe` says that it comes from."""
    packages = (Package("python3.13", "3.13.5-2", "amd64", "a" * 64),)
    return Origin(
        "tiny", recipe.digest("amd64"), f"sha256:{'c' * 64}", packages, packages_locked=True, agent_protocol=1
    )


def image_of(origin: Origin, reference: str, image_id: str = f"sha256:{'d' * 64}") -> FakeImage:
    """Return an image as an engine describes it."""
    attributes = {
        "Id": image_id,
        "Size": 44,
        "Created": "2025",
        "Config": {"Labels": origin.labels()},
        "RootFS": {"Layers": [origin.content_digest]},
    }
    return FakeImage(attributes, [reference])


def test_labels_read_back_as_they_were_written(origin: Origin) -> None:
    """An origin survives its way through labels; anything that is not all there is none."""
    labels = origin.labels()

    assert Origin.read(labels) == origin
    for missing in labels:
        assert Origin.read({key: value for key, value in labels.items() if key != missing}) is None
    assert Origin.read({**labels, "org.toolwright.packages": "not json"}) is None
    assert Origin.read({**labels, "org.toolwright.agent.protocol": "one"}) is None


def test_the_image_of_the_recipe_is_found(recipe: Recipe, origin: Origin) -> None:
    """It is found by the digest of the recipe, and described in full; Podman's ids have no algorithm."""
    reference = image_reference(recipe, origin.recipe_digest)
    engine = FakeEngine({reference: image_of(origin, reference, image_id="d" * 64)})

    info = find_image(engine.client, "tiny", recipe=recipe)

    assert (info.name, info.reference, info.image_id) == ("tiny", reference, f"sha256:{'d' * 64}")
    assert (info.content_digest, info.packages, info.packages_locked) == (origin.content_digest, origin.packages, True)


def test_an_image_of_another_recipe_does_not_count(recipe: Recipe, origin: Origin) -> None:
    """After a change of the agent the old image is not used in place of the new one."""
    reference = image_reference(recipe, origin.recipe_digest)
    engine = FakeEngine({reference: image_of(origin, reference)})
    (recipe.agent / "__main__.py").write_text("print('changed')\n", encoding="utf-8")

    with pytest.raises(ImageMissing, match="toolwright images build tiny"):
        find_image(engine.client, "tiny", recipe=recipe)
    assert [info.reference for info in list_images(engine.client)] == [reference]


@pytest.mark.parametrize("change", [{"recipe_digest": "0" * 64}, {"name": "other"}])
def test_a_moved_tag_does_not_count(recipe: Recipe, origin: Origin, change: dict[str, str]) -> None:
    """A name that points to something else is refused."""
    reference = image_reference(recipe, origin.recipe_digest)
    moved = replace(origin, **change)  # type: ignore[arg-type]
    engine = FakeEngine({reference: image_of(moved, reference)})

    with pytest.raises(ImageMissing, match="not what its name says"):
        find_image(engine.client, "tiny", recipe=recipe)


@pytest.mark.case("IM-05")
@pytest.mark.parametrize("layers", [None, [], [f"sha256:{'e' * 64}"], [f"sha256:{'c' * 64}", f"sha256:{'e' * 64}"]])
def test_im_05_other_files_than_the_labels_say(recipe: Recipe, origin: Origin, layers: list[str] | None) -> None:
    """IM-05: an image under our name and labels whose files are others, or more, is refused and not listed."""
    reference = image_reference(recipe, origin.recipe_digest)
    image = image_of(origin, reference)
    engine = FakeEngine({reference: image})
    assert find_image(engine.client, "tiny", recipe=recipe).reference == reference

    image.attrs["RootFS"] = {"Layers": layers}

    assert list_images(engine.client) == []
    with pytest.raises(ImageMissing, match="not what its name says"):
        find_image(engine.client, "tiny", recipe=recipe)


def test_foreign_images_are_not_listed(origin: Origin) -> None:
    """An image that only bears one label of ours is none of ours."""
    foreign = FakeImage({"Id": "sha256:1", "Config": {"Labels": {"org.toolwright.image": "x"}}}, ["x:1"])
    bare = FakeImage({"Id": "sha256:2", "Config": {"Labels": None}}, [])
    engine = FakeEngine({"x:1": foreign, "y": bare, "z:1": image_of(origin, "z:1")})

    assert [info.reference for info in list_images(engine.client)] == ["z:1"]


@pytest.mark.parametrize("fault", [requests.ConnectionError("refused"), docker.errors.DockerException("gone")])
def test_an_engine_that_is_gone_is_said(recipe: Recipe, fault: Exception) -> None:
    """A lost engine is our fault with a way out, never a stack trace of HTTP."""
    with pytest.raises(EngineUnavailable, match="DOCKER_HOST"):
        find_image(FakeEngine(fault=fault).client, "tiny", recipe=recipe)


@pytest.mark.parametrize(
    ("engine", "debian"), [("amd64", "amd64"), ("arm64", "arm64"), ("386", "i386"), ("arm", "armhf")]
)
def test_architectures_have_two_names(engine: str, debian: str) -> None:
    """The engine's word and Debian's lead to the same platform."""
    assert Platform.of_engine(engine) == Platform.of_debian(debian) == Platform(engine, debian)
