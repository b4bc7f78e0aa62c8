"""What an image says of itself in labels, and what it is called. Knows nothing of an engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolwright.images.lock import Package
from toolwright.images.recipe import Recipe

PREFIX = "org.toolwright."
NAME = f"{PREFIX}image"

_REPOSITORY = "toolwright-sandbox-"
_DEBIAN_NAMES = {"386": "i386", "arm": "armhf", "ppc64le": "ppc64el"}
"""Debian's names of architectures, where they differ from the engine's."""


@dataclass(frozen=True, slots=True)
class Platform:
    """An architecture in the words of the engine and of Debian."""

    engine: str
    debian: str

    @classmethod
    def of_engine(cls, name: str) -> Platform:
        """Return the platform that the engine calls `name`."""
        return cls(name, _DEBIAN_NAMES.get(name, name))

    @classmethod
    def of_debian(cls, name: str) -> Platform:
        """Return the platform that Debian calls `name`."""
        return cls({theirs: ours for ours, theirs in _DEBIAN_NAMES.items()}.get(name, name), name)


@dataclass(frozen=True, slots=True)
class Origin:
    """What an image was made from and what it holds."""

    name: str
    recipe_digest: str
    """64 hex digits, of all that the build read."""
    content_digest: str
    """`sha256:` and 64 hex digits, of the files alone."""
    packages: tuple[Package, ...]
    packages_locked: bool
    """Whether the packages are those of the recipe's lock."""
    agent_protocol: int

    def labels(self) -> dict[str, str]:
        """Return the labels from which `read` makes the same again."""
        rows = [[item.name, item.version, item.architecture, item.sha256] for item in self.packages]
        return {
            NAME: self.name,
            f"{PREFIX}recipe-digest": self.recipe_digest,
            f"{PREFIX}content-digest": self.content_digest,
            f"{PREFIX}packages": json.dumps(rows, separators=(",", ":")),
            f"{PREFIX}packages-locked": str(self.packages_locked).lower(),
            f"{PREFIX}agent.protocol": str(self.agent_protocol),
        }

    @classmethod
    def read(cls, labels: Mapping[str, Any]) -> Origin | None:
        """Read labels back; None where they are not all there, or have another form."""
        try:
            return cls(
                name=str(labels[NAME]),
                recipe_digest=str(labels[f"{PREFIX}recipe-digest"]),
                content_digest=str(labels[f"{PREFIX}content-digest"]),
                packages=tuple(Package(*map(str, row)) for row in json.loads(labels[f"{PREFIX}packages"])),
                packages_locked=labels[f"{PREFIX}packages-locked"] == "true",
                agent_protocol=int(labels[f"{PREFIX}agent.protocol"]),
            )
        except (KeyError, TypeError, ValueError):
            return None


def image_reference(recipe: Recipe, recipe_digest: str) -> str:
    """Return the name of the image that a build of `recipe` gives."""
    return f"{_REPOSITORY}{recipe.name}:{recipe_digest[:16]}"
