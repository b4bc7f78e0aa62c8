"""mmdebstrap is run with fixed options; what goes wrong with it is said with a way out."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from toolwright.errors import ImageMissing
from toolwright.images.bootstrap import unpacked
from toolwright.images.mirror import Mirror, find_keyring
from toolwright.images.recipe import Recipe

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(find_keyring() is None, reason="this host has no Debian keys, so mmdebstrap is never reached"),
]

GOOD, BAD = Mirror("http://good.example/debian"), Mirror("http://bad.example/debian")
FAKE = """#!/bin/sh
printf '%s\\n' "$@" >>"$(dirname "$0")/arguments"
case "$*" in
    *bad.example*) echo "E: cannot reach bad.example" >&2; exit 25 ;;
esac
printf archive
"""


@pytest.fixture
def fake_mmdebstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that knows one good mirror; returns where it writes its arguments."""
    directory = tmp_path / "bin"
    directory.mkdir()
    program = directory / "mmdebstrap"
    program.write_text(FAKE, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    return directory / "arguments"


def test_packages_are_unpacked_from_signed_sources(recipe: Recipe, fake_mmdebstrap: Path) -> None:
    """The options name architecture, packages, hook and a keyring; the archive goes when it has been used."""
    with unpacked(recipe, "arm64", [GOOD], lambda _: None) as archive:
        assert archive.read_bytes() == b"archive"
        assert (archive.parent / "agent" / "__main__.py").read_bytes() == (recipe.agent / "__main__.py").read_bytes()

    assert not archive.exists()
    arguments = fake_mmdebstrap.read_text(encoding="utf-8").splitlines()
    assert {"--variant=extract", "--architectures=arm64", "--include=python3.13", "trixie", "-"} <= set(arguments)
    sources = [line for line in arguments if line.startswith("deb ")]
    assert len(sources) == 2
    assert all("signed-by=" in line for line in sources)
    assert not [line for line in arguments if "trusted" in line or "allow" in line.lower()]


def test_the_next_mirror_is_tried(recipe: Recipe, fake_mmdebstrap: Path) -> None:
    """A mirror that is down costs a line of progress, not the build."""
    lines: list[str] = []

    with unpacked(recipe, "amd64", [BAD, GOOD], lines.append) as archive:
        assert archive.read_bytes() == b"archive"

    assert any("bad.example/debian did not serve" in line for line in lines)


def test_when_no_mirror_serves_its_last_words_are_shown(recipe: Recipe, fake_mmdebstrap: Path) -> None:
    """The error holds what mmdebstrap said and what to do."""
    with (
        pytest.raises(ImageMissing, match=r"(?s)image 'tiny'.*cannot reach bad\.example"),
        unpacked(recipe, "amd64", [BAD], lambda _: None),
    ):
        pass


def test_without_mmdebstrap_the_other_way_is_named(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it cannot be had, the Dockerfile can."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ImageMissing, match="Dockerfile"), unpacked(recipe, "amd64", [GOOD], lambda _: None):
        pass


def test_wheels_are_laid_beside_the_agent(recipe: Recipe, fake_mmdebstrap: Path, tmp_path: Path) -> None:
    """The hook is told where they are; of a wheel only what the recipe keeps is there."""
    kept = replace(recipe, keep=(*recipe.keep, "usr/lib/toolwright/site-packages/six.py"))
    wheel = tmp_path / "six-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("six.py", "x = 1")
        archive.writestr("six_tests.py", "x = 1")

    with unpacked(kept, "amd64", [GOOD], lambda _: None, [wheel]) as root:
        site = root.parent / "site-packages"
        assert [path.name for path in site.iterdir()] == ["six.py"]

    assert f"{site}" in fake_mmdebstrap.read_text(encoding="utf-8")
