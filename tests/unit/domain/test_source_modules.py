"""Source with parts: what it is called by, and where it ends."""

from __future__ import annotations

import pytest

from toolwright.domain.source import (
    MAX_DEPTH,
    MAX_DIRECT,
    MAX_PARTS,
    MAX_PARTS_BYTES,
    SourceModule,
    ToolSource,
    all_parts,
)
from toolwright.domain.task import Task
from toolwright.domain.tool import Dependency, dependencies_of
from toolwright.errors import InvalidInput
from toolwright.registry.testing import sample_task, sample_version

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "a" * 64


def part(name: str, *uses: SourceModule, code: str = "x = 1\n", digest: str = DIGEST) -> SourceModule:
    """Return a part that has parts."""
    return SourceModule(name, digest, ToolSource(code, name, uses))


def user(*parts: SourceModule) -> ToolSource:
    """Return a source that uses `parts`."""
    return ToolSource("x = 2\n", "f", parts)


def test_the_digest_covers_all_that_runs() -> None:
    """Other text, name, version or order anywhere below gives another digest; and so another container."""
    deep = part("deep")
    digests = {
        user().digest,
        user(part("a", deep)).digest,
        user(part("b", deep)).digest,
        user(part("a")).digest,
        user(part("a", part("deep", code="x = 3\n"))).digest,
        user(part("a", deep, digest="sha256:" + "b" * 64)).digest,
        user(part("a"), part("b")).digest,
        user(part("b"), part("a")).digest,
    }

    assert len(digests) == 8
    assert user(part("a", deep)).digest == user(part("a", deep)).digest
    assert user(part("a", deep)).own == user()


def test_no_code_passes_for_code_with_parts() -> None:
    """What sets them apart in the digest is a character that no source may hold."""
    with pytest.raises(InvalidInput, match=r"U\+0000"):
        ToolSource(f"x = 2\n\0a {DIGEST} {part('a').digest}\n", "f")


def test_parts_come_once_and_before_their_users() -> None:
    """However many share them."""
    base = part("base")
    left, right = part("left", base), part("right", base)

    assert all_parts((left, right)) == (base, left, right)
    assert (base.depth, left.depth) == (1, 2)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        (tuple(part(f"p{number}") for number in range(MAX_DIRECT + 1)), f"has {MAX_DIRECT + 1} tools"),
        ((part("same"), part("same", code="x = 3\n")), "two tools of the name 'same'"),
        (
            (
                part("big", code="#" * 99 + "\n"),
                *(part(f"b{n}", code=f"#{n}" + ("#" * 99 + "\n") * 2_600) for n in range(4)),
            ),
            f"at most {MAX_PARTS_BYTES} bytes",
        ),
        (
            tuple(part(f"g{n}", *(part(f"c{n}_{m}") for m in range(4))) for n in range(4)),
            f"comes to 20 tools, parts of parts included (allowed: at most {MAX_PARTS})",
        ),
    ],
    ids=["too many", "two of one name", "too large", "too many in all"],
)
def test_what_is_too_much_is_refused(parts: tuple[SourceModule, ...], problem: str) -> None:
    """The field and the limit are named."""
    with pytest.raises(InvalidInput) as refused:
        user(*parts)
    assert problem in str(refused.value)
    assert refused.value.field == "source.modules"


def test_a_chain_ends_at_its_limit() -> None:
    """The deepest that is allowed, and one level more."""
    link = part("link0")
    for number in range(1, MAX_DEPTH):
        link = part(f"link{number}", link)
    assert user(link).modules[0].depth == MAX_DEPTH
    with pytest.raises(InvalidInput, match=f"goes {MAX_DEPTH + 1} levels deep"):
        user(part("link", link))


@pytest.mark.parametrize("name", ["json", "tools", "sys", "__init__", "a.b", "Tools", ""])
def test_a_part_has_a_tools_name(name: str) -> None:
    """CO-18: no name of ours or of what every tool imports."""
    with pytest.raises(InvalidInput):
        part(name)


@pytest.mark.parametrize(
    ("uses", "field"),
    [
        (tuple(f"t{number}" for number in range(MAX_DIRECT + 1)), "uses"),
        (("half", "half"), "uses[1]"),
        (("half", "add"), "uses[1]"),
        (("add@1",), "uses[0]"),
        (("",), "uses[0]"),
        (("x" * 201,), "uses[0]"),
        (("a\nb",), "uses[0]"),
        (("\ud800",), "uses[0]"),
    ],
)
def test_a_task_names_what_could_be_tools(uses: tuple[str, ...], field: str) -> None:
    """Each once, not too many, and not the tool that is to be made."""
    with pytest.raises(InvalidInput) as refused:
        sample_task("add", uses=uses)
    assert refused.value.field == field


def test_a_version_cannot_hide_what_its_source_is_made_from() -> None:
    """What is verified with parts is kept with them, or not at all."""
    source = user(part("a"))
    with pytest.raises(ValueError, match="does not name the tools"):
        sample_version(source=source)
    version = sample_version(source=source, dependencies=dependencies_of(source))

    assert version.dependencies == (Dependency("a", DIGEST),)
    assert version.digest == sample_version(source=source.own, dependencies=version.dependencies).digest


def test_a_task_that_uses_tools_is_another_task() -> None:
    """And the order matters, as it does to the prompt."""
    tasks: list[Task] = [sample_task(uses=uses) for uses in ((), ("a",), ("a", "b"), ("b", "a"))]

    assert len({task.digest for task in tasks}) == 4
