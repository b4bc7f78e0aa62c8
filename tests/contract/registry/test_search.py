"""Searching: the same tools are found in every store, and what was just kept is found at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.domain.tool import Demonstration, Description, ToolState, ToolVersion
from toolwright.registry.base import Store
from toolwright.registry.testing import sample_record, sample_task, sample_version

pytestmark = pytest.mark.contract


def tool(name: str, summary: str, sample: str = "What?") -> ToolVersion:
    """Return a version with these texts."""
    return replace(
        sample_version(name),
        description=Description(summary, f"{name}(value: str) -> str", sample_version().description.parameters),
        demonstrations=(Demonstration(sample, "{}", "x"),),
    )


def keep(store: Store, version: ToolVersion) -> None:
    """Admit `version`."""
    record = replace(sample_record(version), verification_id=version.digest)
    store.admit(version, record, sample_task(version.name))


def filled(store: Store) -> Store:
    """Return `store` with three tools."""
    keep(store, tool("sort_words", "Put words into alphabetical order.", "Sort these words: pear, fig"))
    keep(store, tool("close_brackets", "Complete a sequence of brackets.", "Close the open brackets: ( ["))
    keep(store, tool("find_slot", "Find the earliest meeting slot.", "When can Ada and Bob meet?"))
    return store


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Which closing bracket is missing in ( < [ ?", "close_brackets"),
        ("Please sort the word list alphabetically: 12 kiwi, 7 plum", "sort_words"),
        ("we want to meet for 30 minutes", "find_slot"),
        ("close_brackets", "close_brackets"),
    ],
)
def test_the_fitting_tool_is_first(store: Store, query: str, name: str) -> None:
    """Name, summary and sample count, whatever the endings of the words."""
    hits = filled(store).search.find(query, limit=2)
    assert hits[0].name == name
    assert hits[0].number == 1
    assert hits[0].score > 0
    assert hits[0].digest == store.get_tool(name).version.digest


@pytest.mark.parametrize("query", ["", "1234", "the of and", '" OR 1 --', "' | ! & <->", "\0\ud800", "x" * 100_000])
def test_odd_texts_find_nothing_and_harm_nothing(store: Store, query: str) -> None:
    """No text is taken for a query's syntax."""
    assert list(filled(store).search.find(query, limit=5)) == []


def test_what_is_kept_is_found_at_once(store: Store) -> None:
    """A new version takes the place of the old one, and a task gives way to its tool."""
    before = store.search.revision()
    store.save_task(
        Task("later", "About anagrams.", (Example("t", "Anagram?", "a"),), (Example("h", "?", "b"),), AnswerKind.TEXT)
    )
    assert store.search.revision() > before
    (hit,) = store.search.find("anagrams", limit=5)
    assert (hit.name, hit.number, hit.digest) == ("later", 0, store.get_task("later").digest)
    assert list(store.search.find("anagrams", limit=5, tools_only=True)) == []
    keep(store, tool("later", "Turns palindromes."))
    (hit,) = store.search.find("palindrome", limit=5)
    assert hit.number == 1
    keep(store, tool("later", "Counts vowels."))
    assert list(store.search.find("palindrome", limit=5)) == []
    (hit,) = store.search.all(limit=5)
    assert (hit.number, hit.digest) == (2, store.get_tool("later").version.digest)


def test_what_waits_for_approval_is_found_where_nothing_is_active(store: Store) -> None:
    """So that its questions are known for its own; what is held back is not found, nor is its task."""
    version = tool("later", "Turns palindromes.")
    record = replace(sample_record(version), verification_id=version.digest)
    store.admit(version, record, sample_task("later"), state=ToolState.VERIFIED)
    (hit,) = store.search.find("palindrome", limit=5)
    assert (hit.number, hit.digest) == (1, version.digest)
    store.lifecycle.approve(version.digest, actor="ann", reason="", persons=1)
    (hit,) = store.search.find("palindrome", limit=5, tools_only=True)
    assert hit.digest == version.digest
    newer = tool("later", "Turns palindromes around.")
    record = replace(sample_record(newer), verification_id=newer.digest)
    store.admit(newer, record, sample_task("later"), state=ToolState.VERIFIED)
    (hit,) = store.search.find("palindrome", limit=5)
    assert hit.digest == version.digest
    for digest in (version.digest, newer.digest):
        store.lifecycle.change_state(digest, ToolState.QUARANTINED, actor="ann", reason="wrong")
    assert list(store.search.all(limit=5)) == []


def test_few_are_offered_all_and_many_by_rank(store: Store) -> None:
    """Up to the limit nobody is left out, fitting or not."""
    filled(store)
    assert [hit.name for hit in store.search.candidates("brackets", limit=3)] == [
        "close_brackets",
        "find_slot",
        "sort_words",
    ]
    assert [hit.name for hit in store.search.candidates("brackets", limit=2)] == ["close_brackets"]
    assert len(store.search.all(limit=2)) == 2


def test_vectors_are_kept_by_digest_and_model(store: Store) -> None:
    """Those of entries that are there now, of one model."""
    filled(store)
    digest = store.get_tool("find_slot").version.digest
    store.search.put_vector(digest, "small", b"1234")
    store.search.put_vector(digest, "small", b"5678")
    store.search.put_vector(digest, "large", b"9")
    store.search.put_vector("sha256:" + "0" * 64, "small", b"0")
    assert store.search.vectors("small") == {digest: b"5678"}
