"""Wheels come as files that a lock names by hash, and are unpacked: none is installed, none runs anything."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from toolwright.errors import ImageMissing, InvalidInput
from toolwright.images.recipe import Recipe
from toolwright.images.wheels import Wheel, fetched, format_lock, read_lock, unpack

pytestmark = pytest.mark.unit

MakeWheel = Callable[..., Path]
"""(name, {member: text}) → a wheel file."""
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def make_wheel(tmp_path: Path) -> MakeWheel:
    """Write wheels into a directory that can serve as an index."""

    def make(name: str = "tinylib", members: Mapping[str, str] | None = None) -> Path:
        path = tmp_path / "index" / f"{name}-1.0-py3-none-any.whl"
        path.parent.mkdir(exist_ok=True)
        information = f"{name}-1.0.dist-info"
        files = {f"{information}/METADATA": METADATA.format(name=name), f"{information}/WHEEL": WHEEL}
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in (files | {f"{information}/RECORD": ""} | dict(members or {})).items():
                archive.writestr(member, text)
        return path

    return make


@pytest.fixture
def wanting(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe that wants the wheel `tinylib`; pip looks nowhere but into the directory of made wheels."""
    (tmp_path / "index").mkdir(exist_ok=True)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    keep = (*recipe.keep, "usr/lib/toolwright/site-packages")
    return replace(recipe, wheels=("tinylib",), keep=keep)


def lock(recipe: Recipe, *paths: Path) -> None:
    """Lock what these files are now."""
    text = format_lock(Wheel.read(path).package for path in paths)
    recipe.wheel_lock_path("amd64").write_text(text, encoding="utf-8")


def test_a_recipe_without_wheels_asks_for_none(recipe: Recipe) -> None:
    """The image `python` needs no pip and no index."""
    with fetched(recipe, "amd64", pytest.fail) as wheels:
        assert wheels == ()


def test_locked_wheels_are_fetched(wanting: Recipe, make_wheel: MakeWheel) -> None:
    """What comes is what the lock names; the files go when they have been used."""
    lock(wanting, make_wheel())

    with fetched(wanting, "amd64", lambda _: None) as (wheel,):
        assert (wheel.package.name, wheel.package.version, wheel.package.architecture) == (
            "tinylib",
            "1.0",
            "py3-none-any",
        )
        assert wheel.package.sha256 == hashlib.sha256(wheel.path.read_bytes()).hexdigest()

    assert not wheel.path.exists()


def test_another_file_under_the_same_name_is_refused(wanting: Recipe, make_wheel: MakeWheel) -> None:
    """An index that serves other bytes than were locked gets no byte of them into an image."""
    lock(wanting, make_wheel())
    make_wheel(members={"tinylib.py": "changed = True"})

    with pytest.raises(ImageMissing, match=r"(?s)could not be fetched.*HASHES"), fetched(wanting, "amd64", print):
        pass


def test_a_wheel_beside_the_lock_is_refused(wanting: Recipe, make_wheel: MakeWheel) -> None:
    """What a wheel depends on has to be locked too."""
    metadata = METADATA.format(name="tinylib") + "Requires-Dist: other\n"
    path = make_wheel(members={"tinylib-1.0.dist-info/METADATA": metadata})
    make_wheel("other")
    lock(wanting, path)

    with pytest.raises(ImageMissing, match="could not be fetched"), fetched(wanting, "amd64", print):
        pass


def test_an_architecture_without_lock_is_said(wanting: Recipe) -> None:
    """No lock, no image, and a way to one; no wheels at all for that machine is said too."""
    with pytest.raises(ImageMissing, match=r"no wheels\.arm64\.lock.*--relock"), fetched(wanting, "arm64", print):
        pass
    with pytest.raises(ImageMissing, match="no wheels for riscv64"), fetched(wanting, "riscv64", print):
        pass


def test_relocking_takes_what_the_index_offers(wanting: Recipe, make_wheel: MakeWheel) -> None:
    """The lock that is written is one that the next build takes."""
    make_wheel()

    with fetched(wanting, "amd64", lambda _: None, relock=True) as wheels:
        written = read_lock(wanting.wheel_lock_path("amd64"))
        assert written == {"tinylib": wheels[0].package.sha256}
    with fetched(wanting, "amd64", lambda _: None) as again:
        assert [wheel.package for wheel in again] == [wheel.package for wheel in wheels]


@pytest.mark.parametrize(
    "line",
    ["numpy==2.0", "numpy --hash=sha256:" + "0" * 64, "https://x.example/n.whl", "-r other", "--index-url https://x"],
)
def test_a_lock_holds_nothing_but_hashes(tmp_path: Path, line: str) -> None:
    """No line may bring in another index, file or option."""
    path = tmp_path / "wheels.amd64.lock"
    path.write_text(f"# comment\n{line}\n", encoding="utf-8")

    with pytest.raises(InvalidInput, match=r"wheels\.amd64\.lock:2"):
        read_lock(path)


def test_only_what_is_kept_is_unpacked(wanting: Recipe, make_wheel: MakeWheel, tmp_path: Path) -> None:
    """Scripts and data for elsewhere stay in the wheel, and so does what the recipe drops."""
    recipe = replace(wanting, drop=("usr/lib/toolwright/site-packages/*/tests",))
    wheel = make_wheel(
        members={
            "tinylib/__init__.py": "",
            "tinylib/tests/test_x.py": "",
            "tinylib-1.0.data/scripts/run": "",
            "tinylib-1.0.data/data/share/man/x.1": "",
        }
    )

    unpack(wheel, tmp_path / "site", recipe)

    names = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.py")}
    assert names == {"tinylib/__init__.py"}
    assert not (tmp_path / "site" / "tinylib-1.0.data").exists()


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("../outside.py", "leads out of it"),
        ("/etc/outside.py", "leads out of it"),
        ("tinylib-1.0.data/purelib/tinylib.py", "need an installer"),
    ],
)
def test_odd_wheels_are_refused(
    wanting: Recipe, make_wheel: MakeWheel, tmp_path: Path, member: str, words: str
) -> None:
    """A path that leads out, or files that only an installer would put in place, stop the build."""
    with pytest.raises(ImageMissing, match=words):
        unpack(make_wheel(members={member: "x = 1"}), tmp_path / "site", wanting)

    assert not (tmp_path / "outside.py").exists()


def test_what_is_no_archive_is_no_wheel(wanting: Recipe, tmp_path: Path) -> None:
    """A broken file is named."""
    path = tmp_path / "tinylib-1.0-py3-none-any.whl"
    path.write_bytes(b"no zip")

    with pytest.raises(ImageMissing, match="is no wheel"):
        unpack(path, tmp_path / "site", wanting)
