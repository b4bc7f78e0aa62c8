"""Only what the recipe keeps gets into an image, and no bit of a package can widen what a file may do."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable

import pytest

from toolwright.errors import ImageMissing
from toolwright.images.recipe import Recipe
from toolwright.images.tree import Entry, complete, read_tree, violations

pytestmark = pytest.mark.unit

MakeTar = Callable[..., io.BytesIO]


def member(name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, target: str = "") -> tarfile.TarInfo:
    """Return a member of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname = kind, mode, target
    return info


def test_only_what_is_kept_is_taken(recipe: Recipe, unpacked_tar: MakeTar) -> None:
    """A shell beside the interpreter stays out, and so does what is dropped."""
    tree, packages = read_tree(unpacked_tar(), recipe)

    assert sorted(tree) == ["usr/bin/python3.13", "usr/lib/python3.13/json.py"]
    assert [package.name for package in packages] == ["python3.13", "zlib1g"]


def test_setuid_and_write_bits_do_not_come_through(recipe: Recipe, unpacked_tar: MakeTar) -> None:
    """Modes are ours: a setuid, executable or world-writable file of a package becomes a plain one."""
    odd = member("./usr/lib/python3.13/odd.py", mode=0o6777)

    tree, _ = read_tree(unpacked_tar((odd, b"x")), recipe)

    assert tree["usr/lib/python3.13/odd.py"].mode == 0o644
    assert tree["usr/bin/python3.13"].mode == 0o755


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(recipe: Recipe, unpacked_tar: MakeTar, kind: bytes) -> None:
    """A device among what is kept stops the build."""
    with pytest.raises(ImageMissing, match="device"):
        read_tree(unpacked_tar((member("./usr/lib/python3.13/dev", kind), b"")), recipe)


def test_hard_links_become_files(recipe: Recipe, unpacked_tar: MakeTar) -> None:
    """A hard link to a kept file is a copy of it; one to what is left out stops the build."""
    good = member("./usr/lib/python3.13/again.py", tarfile.LNKTYPE, target="./usr/lib/python3.13/json.py")
    bad = member("./usr/lib/python3.13/shell", tarfile.LNKTYPE, target="./usr/bin/dash")

    tree, _ = read_tree(unpacked_tar((good, b"")), recipe)

    assert tree["usr/lib/python3.13/again.py"] == tree["usr/lib/python3.13/json.py"]
    with pytest.raises(ImageMissing, match="hard link"):
        read_tree(unpacked_tar((bad, b"")), recipe)


def test_a_cut_archive_is_no_image(recipe: Recipe, unpacked_tar: MakeTar) -> None:
    """What mmdebstrap did not finish is not used."""
    whole = unpacked_tar((member("./usr/lib/python3.13/big.py"), b"x" * 100_000)).getvalue()

    with pytest.raises(ImageMissing, match="build the image again"):
        read_tree(io.BytesIO(whole[:60_000]), recipe)


def test_an_archive_without_packages_is_no_image(recipe: Recipe, unpacked_tar: MakeTar) -> None:
    """Without the list of archives nothing could be compared with the lock."""
    with pytest.raises(ImageMissing, match="no list of archives"):
        read_tree(unpacked_tar(packages=""), recipe)


def test_completing_adds_our_own_files(recipe: Recipe, unpacked_tar: MakeTar) -> None:
    """Mount points, user names and every directory on the way are there; the result breaks no promise."""
    kept, packages = read_tree(unpacked_tar(), recipe)

    tree = complete(kept, recipe, packages)

    assert {path for path, entry in tree.items() if entry.kind == "directory"} == {
        *("etc", "proc", "tmp", "usr", "usr/bin", "usr/lib", "usr/lib/python3.13", "usr/lib/toolwright")
    }
    assert tree["bin"] == Entry("link", 0o777, target="usr/bin")
    assert b'"zlib1g"' in tree["usr/lib/toolwright/packages.json"].content
    assert json.loads(tree["usr/lib/toolwright/start.json"].content) == {
        "preload": ["json"],
        "reseed": ["numbers:seed"],
    }
    assert violations(tree, recipe) == ()


@pytest.mark.parametrize(
    ("path", "entry", "words"),
    [
        ("usr/lib/x", Entry("link", 0o777, target="/etc/alternatives/x"), "not in the image"),
        ("usr/lib/x", Entry("link", 0o777, target="x"), "not in the image"),
        ("usr/lib/x", Entry("link", 0o777, target="../../../../etc/shadow"), "not in the image"),
        ("usr/lib/x", Entry("file", 0o755), "executable"),
        ("usr/lib/x", Entry("file", 0o4644), "mode 4644"),
        ("usr/lib/x", Entry("file", 0o666), "mode 666"),
        ("tmp", Entry("directory", 0o1777), "mode 1777"),
    ],
)
def test_broken_promises_are_found(recipe: Recipe, unpacked_tar: MakeTar, path: str, entry: Entry, words: str) -> None:
    """Dangling links, programs that no recipe names, setuid and writable files stop the build."""
    kept, packages = read_tree(unpacked_tar(), recipe)

    found = violations({**complete(kept, recipe, packages), path: entry}, recipe)

    assert len(found) == 1
    assert found[0].startswith(f"{path}: ")
    assert words in found[0]


def test_missing_interpreter_is_found(recipe: Recipe) -> None:
    """An image that cannot start is not built."""
    assert violations({}, recipe) == ("/usr/bin/python3.13: the interpreter is missing",)


def test_links_inside_the_image_are_followed(recipe: Recipe) -> None:
    """Links to links, through linked directories, relative and absolute, lead to a file."""
    tree = {
        "usr": Entry("directory"),
        "usr/bin": Entry("directory"),
        "usr/bin/python3.13": Entry("file", 0o755, b"ELF"),
        "bin": Entry("link", 0o777, target="usr/bin"),
        "usr/bin/python3": Entry("link", 0o777, target="python3.13"),
        "python": Entry("link", 0o777, target="/bin/python3"),
    }

    assert violations(tree, recipe) == ()
