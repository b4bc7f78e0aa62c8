"""The same tree gives the same bytes, and what `docker load` takes."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from toolwright.images.archive import EPOCH, Configuration, write_image, write_layer
from toolwright.images.tree import Entry, Tree

pytestmark = pytest.mark.unit

TREE: Tree = {
    "usr": Entry("directory"),
    "usr/a": Entry("file", 0o644, b"hello"),
    "usr/" + "deep/" * 30 + "b": Entry("file", 0o755, b""),
    "z": Entry("link", 0o777, target="usr/a"),
}
CONFIGURATION = Configuration("amd64", ["/usr/a"], {"LANG": "C", "HOME": "/"}, {"l": "1"}, "name:tag")


def layer_of(tree: Tree) -> tuple[bytes, str]:
    """Return a layer's bytes and digest."""
    output = io.BytesIO()
    digest = write_layer(tree, output)
    return output.getvalue(), digest


def test_order_of_the_tree_does_not_matter() -> None:
    """Whatever order files come in, the layer is the same, and its digest is that of its bytes."""
    first, digest = layer_of(TREE)
    second, _ = layer_of(dict(reversed(list(TREE.items()))))

    assert first == second
    assert digest == f"sha256:{hashlib.sha256(first).hexdigest()}"


def test_members_have_one_owner_and_one_time() -> None:
    """No name, number or time of the machine that built it is in the layer."""
    layer, _ = layer_of(TREE)

    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        members = tar.getmembers()

    assert {(item.uid, item.gid, item.uname, item.gname, item.mtime) for item in members} == {(0, 0, "", "", EPOCH)}
    assert {item.name for item in members} == set(TREE)


@pytest.mark.parametrize(
    ("path", "entry"), [("usr/a", Entry("file", 0o644, b"hellO")), ("usr/a", Entry("file", 0o755, b"hello"))]
)
def test_any_change_changes_the_digest(path: str, entry: Entry) -> None:
    """One byte or one mode bit gives another digest."""
    assert layer_of({**TREE, path: entry})[1] != layer_of(TREE)[1]


def test_the_archive_is_what_an_engine_loads() -> None:
    """Manifest, configuration and layer refer to each other by digest."""
    layer, digest = layer_of(TREE)

    with (
        write_image(io.BytesIO(layer), digest, CONFIGURATION) as archive,
        tarfile.open(fileobj=archive) as tar,
    ):
        content = {item.name: tar.extractfile(item).read() for item in tar.getmembers()}  # type: ignore[union-attr]
    (manifest,) = json.loads(content["manifest.json"])
    config = content[manifest["Config"]]
    assert manifest["RepoTags"] == ["name:tag"]
    assert manifest["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    assert content[manifest["Layers"][0]] == layer
    assert json.loads(config)["rootfs"]["diff_ids"] == [digest]
    assert json.loads(config)["config"] == {
        "User": "0:0",
        "Env": ["HOME=/", "LANG=C"],
        "Entrypoint": ["/usr/a"],
        "WorkingDir": "/",
        "Labels": {"l": "1"},
    }


def test_the_archive_is_the_same_twice() -> None:
    """So the image id is the same, too."""
    layer, digest = layer_of(TREE)

    contents = []
    for _ in range(2):
        with write_image(io.BytesIO(layer), digest, CONFIGURATION) as archive:
            contents.append(archive.read())

    assert contents[0] == contents[1]
