"""The lock says which archives an image came from; a build says how it differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolwright.errors import InvalidInput
from toolwright.images.lock import Package, differences, format_lock, parse_archives, parse_packages, read_lock

pytestmark = pytest.mark.unit

PYTHON = Package("python3.13", "3.13.5-2", "amd64", "a" * 64)
ZLIB = Package("zlib1g", "1:1.3-1", "amd64", "b" * 64)


def test_lock_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """Writing and reading lose nothing, and the order does not matter."""
    path = tmp_path / "packages.amd64.lock"
    path.write_text(format_lock([ZLIB, PYTHON]), encoding="utf-8")

    assert read_lock(path) == (PYTHON, ZLIB)
    assert read_lock(tmp_path / "none.lock") is None


def test_names_of_archives_are_read() -> None:
    """The colon of an epoch stands in a file name as %3a."""
    text = f"{'b' * 64}  zlib1g_1%3a1.3-1_amd64.deb\n{'a' * 64}  python3.13_3.13.5-2_amd64.deb\n"

    assert parse_archives(text) == (PYTHON, ZLIB)


@pytest.mark.parametrize("line", ["python3.13 3.13.5-2 amd64", "python3.13 3.13.5-2 amd64 xyz", f"../x 1 a {'a' * 64}"])
def test_malformed_lock_names_its_line(line: str) -> None:
    """A broken line is named by number."""
    with pytest.raises(InvalidInput, match=r"some\.lock:2"):
        parse_packages(f"# header\n{line}\n", "some.lock")


def test_malformed_archive_list_is_refused() -> None:
    """What is no digest and archive is not taken for a package."""
    with pytest.raises(InvalidInput, match="no archive"):
        parse_archives("sha256sum: *.deb: No such file\n")


@pytest.mark.parametrize(
    ("got", "words"),
    [
        ([PYTHON, ZLIB], []),
        ([PYTHON], ["zlib1g: locked at 1:1.3-1, not needed any more"]),
        ([PYTHON, ZLIB, Package("dash", "1", "amd64", "c" * 64)], ["dash: not locked"]),
        ([PYTHON, Package("zlib1g", "1:1.4-1", "amd64", "c" * 64)], ["zlib1g: locked at 1:1.3-1, got 1:1.4-1"]),
        ([PYTHON, Package("zlib1g", "1:1.3-1", "amd64", "c" * 64)], ["zlib1g: 1:1.3-1 has another SHA-256"]),
    ],
)
def test_each_difference_is_a_line(got: list[Package], words: list[str]) -> None:
    """More, fewer, newer and altered packages are told apart."""
    lines = differences([PYTHON, ZLIB], got)

    assert len(lines) == len(words)
    assert all(line.startswith(word) for line, word in zip(lines, words, strict=True))
