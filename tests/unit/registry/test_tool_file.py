"""A version as a signed file: what was written is read, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.domain.tool import Dependency, ToolVersion
from toolwright.errors import InvalidInput
from toolwright.registry.signing import Signer
from toolwright.registry.testing import sample_record, sample_task, sample_version
from toolwright.registry.tool_file import MAX_FILE_BYTES, ToolFile, read_tool_file, write_tool_file

pytestmark = pytest.mark.unit

SIGNER, STRANGER = Signer.generate(), Signer.generate()
VERSION = sample_version(task_description="Add é and 😀.")
CONTENT = ToolFile(VERSION, sample_task(), SIGNER.sign(sample_record(VERSION)), SIGNER.public)
RAW = write_tool_file(CONTENT)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each value in the document that has no parts."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = False
    for key, part in parts:
        found = True
        yield from leaves(part, (*path, key))
    if not found:
        yield path


def parts(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each value in the document."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from parts(part, (*path, key))


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    """Return what is at a path."""
    for key in path:
        document = document[key]
    return document


def rewritten(document: Any) -> bytes:
    """Return a document as a file would have it."""
    return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=True).encode() + b"\n"


LEAVES = list(leaves(json.loads(RAW)))
PARTS = list(parts(json.loads(RAW)))


def test_what_was_written_is_read() -> None:
    """The same content, from the same bytes, however often."""
    read = read_tool_file(RAW)

    assert (read.version, read.task, read.record, read.key.text) == (
        CONTENT.version,
        CONTENT.task,
        CONTENT.record,
        SIGNER.public.text,
    )
    assert write_tool_file(read) == RAW
    assert rewritten(json.loads(RAW)) == RAW  # so that what follows changes what it means to


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: ".".join(map(str, path)))
def test_no_field_can_be_changed(path: tuple[str | int, ...]) -> None:
    """Each value in the file, in turn, is another: the file is refused."""
    value = at(json.loads(RAW), path)
    others: tuple[Any, ...] = (None, [], {}, 7, "x", True, f"{value} ", not value)
    for other in others:
        document = json.loads(RAW)
        if rewritten(other) == rewritten(value):
            continue
        at(document, path[:-1])[path[-1]] = other
        with pytest.raises(InvalidInput) as told:
            read_tool_file(rewritten(document))
        assert told.value.field.startswith("file")


@pytest.mark.parametrize("path", PARTS, ids=lambda path: ".".join(map(str, path)) or "all")
def test_nothing_can_be_added_or_removed(path: tuple[str | int, ...]) -> None:
    """Each object and list, in turn, has one part more, or one less: the file is refused."""
    for change in ("more", "less"):
        document = json.loads(RAW)
        part = at(document, path)
        if isinstance(part, dict):
            if change == "more":
                part["extra"] = 1
            elif part:
                part.popitem()
            else:
                continue
        elif isinstance(part, list):
            if change == "more":
                part.append(part[-1] if part else 1)
            elif part:
                part.pop()
            else:
                continue
        else:
            continue
        with pytest.raises(InvalidInput):
            read_tool_file(rewritten(document))


@given(place=st.integers(0, len(RAW) - 1), byte=st.integers(0, 255))
def test_no_byte_can_be_changed(place: int, byte: int) -> None:
    """Any byte of the file is another: it is refused."""
    changed = bytearray(RAW)
    if changed[place] == byte:
        byte ^= 1
    changed[place] = byte

    with pytest.raises(InvalidInput):
        read_tool_file(bytes(changed))


@given(place=st.integers(0, len(RAW)), extra=st.binary(min_size=1, max_size=4), length=st.integers(0, 4))
def test_no_bytes_can_be_put_in_or_left_out(place: int, extra: bytes, length: int) -> None:
    """White space too."""
    changed = RAW[:place] + extra + RAW[place + length :]
    if changed == RAW:
        return
    with pytest.raises(InvalidInput):
        read_tool_file(changed)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b"[" * 10_000,
        b'"' + b"x" * MAX_FILE_BYTES + b'"',
        RAW[:-1],
        RAW * 2,
        b" " + RAW,
    ],
    ids=["empty", "list", "null", "object", "bytes", "deep", "large", "cut", "twice", "blank"],
)
def test_other_files_are_refused(raw: bytes) -> None:
    """With a message of bounded length that names the file."""
    with pytest.raises(InvalidInput) as told:
        read_tool_file(raw)
    assert told.value.field.startswith("file")
    assert len(str(told.value)) < 1_000


def test_a_record_of_another_key_or_version_is_refused() -> None:
    """A stranger's signature under our key, ours under a stranger's, and a good record of something else."""
    other = sample_version(code="def add(a, b):\n    return 7\n")
    for content in (
        ToolFile(VERSION, sample_task(), STRANGER.sign(sample_record(VERSION)), SIGNER.public),
        ToolFile(VERSION, sample_task(), CONTENT.record, STRANGER.public),
        ToolFile(VERSION, sample_task(), SIGNER.sign(sample_record(other)), SIGNER.public),
        ToolFile(VERSION, sample_task(description="Another."), CONTENT.record, SIGNER.public),
    ):
        with pytest.raises(InvalidInput):
            read_tool_file(write_tool_file(content))


def test_parts_are_all_there_in_their_order_and_nothing_else() -> None:
    """A tool's file holds just what the tool is made from; less, more, twice or in another order is refused."""

    def signed(version: ToolVersion) -> ToolFile:
        record = sample_record(version, f"v-{version.name}")
        return ToolFile(version, sample_task(version.name), SIGNER.sign(record), SIGNER.public)

    base = sample_version("base")
    left = sample_version("left", dependencies=(Dependency("base", base.digest),))
    top = sample_version("top", dependencies=(Dependency("left", left.digest),))
    whole = replace(signed(top), parts=(signed(base), signed(left)))
    document = json.loads(write_tool_file(whole))
    assert rewritten(document) == write_tool_file(whole)
    assert [part.version.name for part in read_tool_file(rewritten(document)).parts] == ["base", "left"]

    below, beside = document["parts"]
    stranger = json.loads(write_tool_file(replace(signed(VERSION))))
    del stranger["format"]
    nested = {**below, "parts": []}
    others: list[Any] = [
        [],
        [below],
        [beside, below],
        [below, below, beside],
        [below, beside, stranger],
        [nested, beside],
    ]
    for parts_ in [*others, {}, [7], None]:
        with pytest.raises(InvalidInput):
            read_tool_file(rewritten({**document, "parts": parts_}))
    for path in leaves(document["parts"]):
        changed = json.loads(json.dumps(document))
        at(changed["parts"], path[:-1])[path[-1]] = "x"
        with pytest.raises(InvalidInput):
            read_tool_file(rewritten(changed))
