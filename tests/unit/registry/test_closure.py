"""What a tool is made from, as values: complete, in order, and nothing that was not declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from toolwright.domain.source import MAX_DEPTH, MAX_PARTS
from toolwright.domain.tool import Dependency, ToolVersion
from toolwright.errors import InvalidInput
from toolwright.registry.closure import check_closure, closure_of, compose
from toolwright.registry.testing import sample_version

pytestmark = pytest.mark.unit


def version(name: str, *parts: ToolVersion) -> ToolVersion:
    """Return a tool that is made from `parts`."""
    code = f"def add(a, b):\n    return '{name}'\n"
    return sample_version(name, code, dependencies=tuple(Dependency(part.name, part.digest) for part in parts))


def kept(*versions: ToolVersion) -> Mapping[str, ToolVersion]:
    """Return what a registry with these would find."""
    return {one.digest: one for one in versions}


BASE = version("base")
LEFT, RIGHT = version("left", BASE), version("right", BASE)
TOP = version("top", LEFT, RIGHT)
ALL = kept(BASE, LEFT, RIGHT, TOP)


def test_each_part_comes_once_and_before_its_users() -> None:
    """So that they can be admitted one after another."""
    assert closure_of(TOP, ALL.__getitem__) == (BASE, LEFT, RIGHT)
    assert closure_of(BASE, ALL.__getitem__) == ()


def test_what_came_along_has_to_be_exactly_that() -> None:
    """In whatever order it came; less or more is refused, and so is the right name on other content."""
    assert check_closure(TOP, (RIGHT, LEFT, BASE)) == (BASE, LEFT, RIGHT)
    with pytest.raises(InvalidInput, match=f"{BASE.digest} is missing"):
        check_closure(TOP, (LEFT, RIGHT))
    with pytest.raises(InvalidInput, match="is no part of 'left'"):
        check_closure(LEFT, (BASE, RIGHT))
    forged = replace(BASE, description=replace(BASE.description, summary="Another."))
    with pytest.raises(InvalidInput, match=f"{BASE.digest} is missing"):
        check_closure(LEFT, (forged,))


def test_a_store_that_gives_something_else_is_not_believed() -> None:
    """Whatever stands under a digest has to have it, and the name that was declared."""
    with pytest.raises(InvalidInput, match="is not the 'base' with"):
        closure_of(LEFT, lambda _: RIGHT)
    renamed = sample_version("user", dependencies=(Dependency("other", BASE.digest),))
    with pytest.raises(InvalidInput, match=r"'base' with .* is not the 'other' with"):
        closure_of(renamed, ALL.__getitem__)


class Lying(ToolVersion):
    """A version that claims another one's digest: how a circle would look if digests could be forged."""

    __slots__ = ()

    @property
    def digest(self) -> str:
        """What it claims."""
        return "sha256:" + self.name


def test_a_circle_ends_at_once() -> None:
    """No digest can contain itself; if one did all the same, nothing would go round for ever."""

    def lying(name: str, part: str) -> ToolVersion:
        honest = sample_version(name)
        return Lying(
            name=name,
            source=honest.source,
            description=honest.description,
            answer_kind=honest.answer_kind,
            demonstrations=(),
            dependencies=(Dependency(part, "sha256:" + part),),
        )

    one, two = lying("one", "two"), lying("two", "one")
    with pytest.raises(InvalidInput, match="'one' contains itself"):
        closure_of(one, kept(one, two).__getitem__)
    itself = lying("itself", "itself")
    with pytest.raises(InvalidInput, match="contains itself"):
        closure_of(itself, kept(itself).__getitem__)


def chain(length: int) -> tuple[ToolVersion, Mapping[str, ToolVersion]]:
    """Return a tool with so many levels below it."""
    links = [version("link0")]
    for number in range(1, length + 1):
        links.append(version(f"link{number}", links[-1]))
    return links[-1], kept(*links)


def test_depth_is_bounded_wherever_a_part_is_met() -> None:
    """The last level that is allowed, and one more; also where the deep part was met higher up before."""
    top, found = chain(MAX_DEPTH)
    assert len(closure_of(top, found.__getitem__)) == MAX_DEPTH
    deeper, more = chain(MAX_DEPTH + 1)
    with pytest.raises(InvalidInput, match=f"below {MAX_DEPTH} levels"):
        closure_of(deeper, more.__getitem__)
    aside = version("aside", top)
    both = version("both", found[top.dependencies[0].digest], aside)
    with pytest.raises(InvalidInput, match=f"below {MAX_DEPTH} levels"):
        closure_of(both, {**found, aside.digest: aside}.__getitem__)


def test_the_number_is_bounded() -> None:
    """Counted over all levels."""
    leaves = [version(f"leaf{number}") for number in range(MAX_PARTS - 1)]
    half = version("half", *leaves[:8])
    assert len(closure_of(version("top", half, *leaves[8:]), kept(half, *leaves).__getitem__)) == MAX_PARTS
    last = version("last")
    over = version("over", half, last, *leaves[8:])
    with pytest.raises(InvalidInput, match=f"more than {MAX_PARTS} tools"):
        closure_of(over, kept(half, last, *leaves).__getitem__)


def test_joined_they_are_the_source_that_runs() -> None:
    """Each with its own parts and nobody else's; the text is what was kept, to the byte."""
    source = compose(TOP, closure_of(TOP, ALL.__getitem__))

    assert source.own == TOP.source
    assert [(part.name, part.tool_digest) for part in source.modules] == [
        ("left", LEFT.digest),
        ("right", RIGHT.digest),
    ]
    (inner,) = source.modules[0].source.modules
    assert (inner.name, inner.source) == ("base", BASE.source)
    assert compose(BASE, ()) == BASE.source
