"""A recipe is data with a reason beside each entry; its digest covers all that a build reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolwright.errors import ImageMissing, InvalidInput, NotFound
from toolwright.images.recipe import Recipe, images_root, load_recipe, recipe_names

pytestmark = pytest.mark.unit


def test_every_recipe_that_comes_with_the_package_can_be_read() -> None:
    """The recipes of the checkout load, and name their image by their directory."""
    names = recipe_names()

    assert "python" in names
    assert [load_recipe(name).name for name in names] == list(names)


def test_the_image_is_what_the_recipe_keeps_and_does_not_drop(recipe: Recipe) -> None:
    """What is not named is left out; a directory takes all below it; dropping wins."""
    wanted = {
        "usr/bin/python3.13": True,
        "usr/lib/python3.13/json/decoder.py": True,
        "usr/lib/x86_64-linux-gnu/libc.so.6": True,
        "usr/lib/python3.13/test/support.py": False,
        "usr/lib/python3.13/lib-dynload/_testcapi.so": False,
        "usr/bin/python3.13-config": False,
        "bin/sh": False,
        "etc/passwd": False,
    }

    assert {path: recipe.wants(path) for path in wanted} == wanted


@pytest.mark.parametrize("changed", ["tiny/recipe.toml", "tiny/packages.amd64.lock", "bootstrap-hook.sh"])
def test_digest_changes_with_every_input(recipe: Recipe, recipe_root: Path, changed: str) -> None:
    """A changed recipe, lock or hook makes the image out of date."""
    before = recipe.digest("amd64")

    with (recipe_root / changed).open("a", encoding="utf-8") as file:
        file.write("# changed\n")

    assert recipe.digest("amd64") != before


def test_digest_changes_with_the_agent(recipe: Recipe) -> None:
    """A changed, added or renamed file of the agent makes the image out of date; bytecode beside it does not."""
    digests = [recipe.digest("amd64")]
    extra = recipe.agent / "relay.py"
    for text in ("x = 1\n", "x = 2\n"):
        extra.write_text(text, encoding="utf-8")
        digests.append(recipe.digest("amd64"))
    extra.rename(recipe.agent / "other.py")
    digests.append(recipe.digest("amd64"))
    (recipe.agent / "other.pyc").write_bytes(b"cached")

    assert len(set(digests)) == 4
    assert recipe.digest("amd64") == digests[-1]


def test_architectures_have_digests_of_their_own(recipe: Recipe) -> None:
    """An image for one architecture is never taken for another's."""
    assert recipe.digest("amd64") != recipe.digest("arm64")


def test_missing_agent_is_said(recipe: Recipe) -> None:
    """A copy without the agent cannot build, and says so."""
    (recipe.agent / "__main__.py").unlink()

    with pytest.raises(ImageMissing, match="incomplete"):
        recipe.digest("amd64")


def test_unknown_recipe_names_those_that_are_there(recipe_root: Path) -> None:
    """A mistyped name shows the names that would do."""
    with pytest.raises(NotFound, match="there are: tiny"):
        load_recipe("tinny", recipe_root)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('why = "tests"\n', "", r"recipe\.drop\[0\]\.why"),
        ('packages = ["python3.13"]', 'packages = "python3.13"', r"recipe\.packages"),
        ('suite = "trixie"', "", "suite is missing"),
        ('name = "tiny"', 'name = "other"', "other"),
        ('name = "tiny"', "name = ", r"recipe\.toml"),
        ('preload = ["json"]', "", "preload is missing"),
    ],
)
def test_malformed_recipe_names_the_field(recipe_root: Path, old: str, new: str, field: str) -> None:
    """What is wrong in a recipe is said with its place."""
    path = recipe_root / "tiny" / "recipe.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    with pytest.raises(InvalidInput, match=field):
        load_recipe("tiny", recipe_root)


def test_recipes_of_the_checkout_are_found() -> None:
    """In a checkout they are beside the sources."""
    assert (images_root() / "python" / "recipe.toml").is_file()


ADDITION = """
name = "more"
base = "tiny"
packages = ["libstdc++6"]
wheels = ["numpy"]
preload = ["numpy"]
[environment]
OMP_NUM_THREADS = "1"
[[drop]]
why = "tests"
paths = ["usr/lib/toolwright/site-packages/*/tests"]
"""


def added(root: Path, text: str = ADDITION) -> Recipe:
    """Return a recipe that adds to the one in `root`."""
    (root / "more").mkdir()
    (root / "more" / "recipe.toml").write_text(text, encoding="utf-8")
    return load_recipe("more", root)


def test_a_recipe_adds_to_its_base(recipe: Recipe, recipe_root: Path) -> None:
    """What the base says stays, in its order; what is new comes after it."""
    more = added(recipe_root)

    assert (more.packages, more.preload) == ((*recipe.packages, "libstdc++6"), (*recipe.preload, "numpy"))
    assert (recipe.wheels, more.wheels) == ((), ("numpy",))
    assert more.environment == {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
    assert (more.entrypoint, more.reseed, more.keep) == (recipe.entrypoint, recipe.reseed, recipe.keep)
    assert not more.wants("usr/lib/toolwright/site-packages/numpy/tests/x.py")
    assert not more.wants("usr/lib/python3.13/test/support.py")


@pytest.mark.parametrize("changed", ["tiny/recipe.toml", "more/recipe.toml", "more/wheels.amd64.lock"])
def test_digest_of_an_addition_changes_with_base_and_wheels(recipe_root: Path, changed: str) -> None:
    """A changed base, recipe or lock of wheels makes the image out of date."""
    before = added(recipe_root).digest("amd64")

    with (recipe_root / changed).open("a", encoding="utf-8") as file:
        file.write("# changed\n")

    assert load_recipe("more", recipe_root).digest("amd64") != before


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('suite = "sid"', "suite would replace"),
        ("[environment]\nLANG = 'C'", "environment would replace"),
        ('python = "/usr/bin/python3.14"', "python would replace"),
        ("agent_protocol = 2", "agent_protocol would replace"),
    ],
)
def test_a_recipe_replaces_nothing_of_its_base(recipe_root: Path, line: str, field: str) -> None:
    """An auditor who has read the base need not look for what is taken back."""
    with pytest.raises(InvalidInput, match=field):
        added(recipe_root, f'name = "more"\nbase = "tiny"\n{line}\n')


def test_bases_do_not_pile_up(recipe_root: Path) -> None:
    """Two files are all that there is to read of an image."""
    (recipe_root / "third").mkdir()
    (recipe_root / "third" / "recipe.toml").write_text('name = "third"\nbase = "more"\n', encoding="utf-8")
    added(recipe_root)

    with pytest.raises(InvalidInput, match="has a base too"):
        load_recipe("third", recipe_root)
