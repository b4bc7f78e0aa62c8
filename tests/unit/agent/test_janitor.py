"""Emptying a directory that a hostile call left: whatever its depth, names, modes and links."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolwright_agent import janitor

pytestmark = pytest.mark.unit


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A directory as a call has it, beside one that is none of its business."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    made = tmp_path / "scratch"
    made.mkdir()
    return made


def open_descriptors() -> list[int]:
    """Return this process' descriptors."""
    return [int(path.name) for path in Path("/proc/self/fd").iterdir()]


def empty(scratch: Path) -> None:
    """Empty it as the janitor does; what is outside stays, and no descriptor is left open."""
    before = len(open_descriptors())
    top = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY)
    try:
        janitor.empty(top)
    finally:
        os.close(top)
    assert list(scratch.iterdir()) == []
    assert len(open_descriptors()) == before
    assert (scratch.parent / "outside" / "kept").read_text() == "kept"


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Let this process have hardly any descriptor more than it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(open_descriptors()) + 8, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def deep(where: Path, levels: int, name: str = "d") -> None:
    """Make a tree far deeper than any path may be long."""
    home = os.open(".", os.O_RDONLY)
    try:
        os.chdir(where)
        for level in range(levels):
            Path(name).mkdir()
            os.chdir(name)
            if level % 50 == 0:
                Path("file").write_text("x")
    finally:
        os.fchdir(home)
        os.close(home)


def test_nothing_is_empty_already(scratch: Path) -> None:
    """The usual case."""
    empty(scratch)


def test_a_deep_tree_takes_no_recursion_and_few_descriptors(scratch: Path, few_descriptors: None) -> None:
    """3,000 levels: deeper than the recursion limit, than PATH_MAX and than there are descriptors."""
    deep(scratch, 3_000)
    begun = time.monotonic()
    empty(scratch)
    assert time.monotonic() - begun < 5


def test_many_files_and_directories(scratch: Path) -> None:
    """As many as the scratch space has inodes."""
    for number in range(4_000):
        path = scratch / str(number)
        path.mkdir() if number % 4 == 0 else path.touch()
    empty(scratch)


ODD_NAMES = [
    b"-rf", b"--", b" ", b"\n", b"\xff\xfe", b"\x01\x1b[2J", b"*", b"~", b"...", b"a" * 255, b".lifted-1", b".lifted-2",
    "\u202e\u2028".encode(),
]  # fmt: skip


def test_odd_names(scratch: Path) -> None:
    """No name is an option, a pattern or text: each is bytes. Not even the janitor's own names mislead it."""
    for name in ODD_NAMES:
        for inner in ODD_NAMES:
            where = scratch / os.fsdecode(name) / os.fsdecode(inner)
            where.mkdir(parents=True)
            (where / "file").touch()
    empty(scratch)


def test_modes_keep_nothing(scratch: Path) -> None:
    """Directories and files without any permission."""
    for mode in (0o000, 0o111, 0o400, 0o1000, 0o4000):
        inner = scratch / f"{mode:o}" / "inner"
        inner.mkdir(parents=True)
        (inner / "file").touch(mode=0o000)
        inner.chmod(mode)
        inner.parent.chmod(mode)
    empty(scratch)


def test_links_are_removed_and_not_followed(scratch: Path) -> None:
    """Symbolic links to outside, to itself and to nowhere, hard links, a fifo."""
    outside = scratch.parent / "outside"
    inner = scratch / "inner"
    inner.mkdir()
    for where in (scratch, inner):
        (where / "to directory").symlink_to(outside)
        (where / "to file").symlink_to(outside / "kept")
        (where / "to nowhere").symlink_to("/nonexistent")
        (where / "loop").symlink_to("loop")
        (where / "up").symlink_to("..")
        os.link(outside / "kept", where / "hard")
        os.mkfifo(where / "fifo")
    empty(scratch)


trees = st.recursive(
    st.none(),
    lambda inner: st.dictionaries(
        st.sampled_from(["a", "b", ".lifted-1", ".lifted-2", ".lifted-3"]), inner, max_size=4
    ),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(trees)
def test_any_tree(scratch: Path, tree: object) -> None:
    """Whatever the shape, and whatever clashes with the names that it lifts under."""

    def grow(where: Path, shape: object) -> None:
        if isinstance(shape, dict):
            where.mkdir()
            for name, below in shape.items():
                grow(where / name, below)
        else:
            where.touch()

    grow(scratch / "top", tree)
    empty(scratch)
